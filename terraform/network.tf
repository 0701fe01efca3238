module "network" {
  source = "./modules/network"

  name                 = local.name
  cidr                 = var.vpc_cidr
  zones                = var.zones
  egress               = var.egress
  flow_logs            = var.flow_logs
  log_retention_days   = var.log_retention_days
  permissions_boundary = var.permissions_boundary

  # Images, their logs, what the services call, the keys of the user pool; a shell if asked.
  endpoint_services = toset(concat(
    ["ecr.api", "ecr.dkr", "logs", "sns", "sqs", "secretsmanager", "cognito-idp"],
    var.debug ? ["ssmmessages"] : [],
    var.trace_sampling > 0 ? ["xray"] : [],
  ))
}
