# How tasks reach AWS's APIs.

# Free, and layers of images come from S3: without it NAT would be paid for every pull.
resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.main.id
  service_name      = "com.amazonaws.${data.aws_region.current.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids = [
    aws_route_table.private.id,
    aws_route_table.public.id,
  ]

  tags = {
    Name = "${var.name}-s3"
  }
}

# Regional: one gateway that spreads over the zones by itself. It takes up to 20 minutes
# to be in a new one, while that zone's traffic crosses to another.
resource "aws_nat_gateway" "main" {
  count = var.egress == "nat" ? 1 : 0

  vpc_id            = aws_vpc.main.id
  availability_mode = "regional"
  connectivity_type = "public"

  tags = {
    Name = var.name
  }

  depends_on = [aws_internet_gateway.main]
}

resource "aws_route" "nat" {
  count = var.egress == "nat" ? 1 : 0

  route_table_id         = aws_route_table.private.id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.main[0].id
}

resource "aws_security_group" "endpoints" {
  count = var.egress == "endpoints" ? 1 : 0

  name        = "${var.name}-endpoints"
  description = "Interface endpoints. Who may come in is said where that one is made."
  vpc_id      = aws_vpc.main.id

  tags = {
    Name = "${var.name}-endpoints"
  }
}

resource "aws_vpc_endpoint" "interface" {
  for_each = var.egress == "endpoints" ? var.endpoint_services : []

  vpc_id              = aws_vpc.main.id
  service_name        = "com.amazonaws.${data.aws_region.current.region}.${each.value}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = [for zone in local.zones : aws_subnet.private[zone].id]
  security_group_ids  = aws_security_group.endpoints[*].id

  tags = {
    Name = "${var.name}-${each.value}"
  }
}
