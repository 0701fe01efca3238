# Who may reach the tasks, and whom they may reach: the balancer comes in; they go to
# their database and to AWS.

resource "aws_security_group" "tasks" {
  name        = local.full_name
  description = "Tasks of ${var.service}."
  vpc_id      = var.platform.network.vpc_id

  tags = {
    Name = local.full_name
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_egress_rule" "balancer_to_tasks" {
  description                  = "Requests and health checks to ${var.service}"
  security_group_id            = var.platform.load_balancer.security_group_id
  referenced_security_group_id = aws_security_group.tasks.id
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
}

resource "aws_vpc_security_group_ingress_rule" "tasks_from_balancer" {
  description                  = "Requests and health checks"
  security_group_id            = aws_security_group.tasks.id
  referenced_security_group_id = var.platform.load_balancer.security_group_id
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
}

resource "aws_vpc_security_group_egress_rule" "tasks_to_database" {
  description                  = "PostgreSQL"
  security_group_id            = aws_security_group.tasks.id
  referenced_security_group_id = var.platform.database_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = var.database.port
  to_port                      = var.database.port
}

resource "aws_vpc_security_group_ingress_rule" "database_from_tasks" {
  description                  = "PostgreSQL from ${var.service}"
  security_group_id            = var.platform.database_security_group_id
  referenced_security_group_id = aws_security_group.tasks.id
  ip_protocol                  = "tcp"
  from_port                    = var.database.port
  to_port                      = var.database.port
}

# AWS's own addresses change and are too many for a security group; what leaves is
# encrypted and signed. With endpoints nothing but these is open.
resource "aws_vpc_security_group_egress_rule" "tasks_to_everywhere" {
  count = var.platform.network.reaches == null ? 1 : 0

  description       = "APIs of AWS, and the keys of token issuers"
  security_group_id = aws_security_group.tasks.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "tasks_to_endpoints" {
  count = var.platform.network.reaches == null ? 0 : 1

  description                  = "APIs of AWS"
  security_group_id            = aws_security_group.tasks.id
  referenced_security_group_id = var.platform.network.reaches.endpoint_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_security_group_ingress_rule" "endpoints_from_tasks" {
  count = var.platform.network.reaches == null ? 0 : 1

  description                  = "APIs of AWS for ${var.service}"
  security_group_id            = var.platform.network.reaches.endpoint_security_group_id
  referenced_security_group_id = aws_security_group.tasks.id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_security_group_egress_rule" "tasks_to_s3" {
  count = var.platform.network.reaches == null ? 0 : 1

  description       = "Layers of images"
  security_group_id = aws_security_group.tasks.id
  prefix_list_id    = var.platform.network.reaches.prefix_list_id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}
