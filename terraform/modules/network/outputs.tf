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

output "tasks" {
  description = "Where tasks run and how they get out, once they can: one that starts before cannot fetch its image."
  value = {
    vpc_id     = aws_vpc.main.id
    subnet_ids = [for zone in local.zones : (var.egress == "public" ? aws_subnet.public : aws_subnet.private)[zone].id]
    public_ip  = var.egress == "public"
    reaches = var.egress != "endpoints" ? null : {
      endpoint_security_group_id = one(aws_security_group.endpoints[*].id)
      prefix_list_id             = aws_vpc_endpoint.s3.prefix_list_id
    }
  }

  depends_on = [
    aws_route.internet,
    aws_route.nat,
    aws_route_table_association.private,
    aws_route_table_association.public,
    aws_vpc_endpoint.interface,
    aws_vpc_endpoint.s3,
  ]
}
