output "vpc_id" {
  description = "The VPC. What waits for it waits for its internet gateway too, without which CloudFront does not reach in."
  value       = aws_internet_gateway.main.vpc_id
}

output "private_subnet_ids" {
  description = "Subnets that nothing outside reaches."
  value       = [for zone in local.zones : aws_subnet.private[zone].id]
}

output "public_subnet_ids" {
  description = "Subnets with a route from and to the internet."
  value       = [for zone in local.zones : aws_subnet.public[zone].id]
}

output "availability_zones" {
  description = "The zones, in the order of the subnets."
  value       = local.zones
}

output "endpoint_security_group_id" {
  description = "Of the interface endpoints, which admits what is told of here; null unless egress is endpoints."
  value       = one(aws_security_group.endpoints[*].id)
}

output "s3_prefix_list_id" {
  description = "S3's addresses behind the gateway endpoint, for security group rules."
  value       = aws_vpc_endpoint.s3.prefix_list_id
}
