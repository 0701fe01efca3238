module "edge" {
  source = "./modules/edge"

  name       = local.name
  region     = var.region
  account_id = data.aws_caller_identity.current.account_id
  network = {
    vpc_id             = module.network.vpc_id
    private_subnet_ids = module.network.private_subnet_ids
    public_subnet_ids  = module.network.public_subnet_ids
  }
  # As in the Caddyfile: all of a service's paths, its /ops for holders of that scope too.
  # Its /healthz and /readyz are for the balancer and for people on the inside.
  paths              = sort([for service in local.services : "/v1/${service}*"])
  domain_names       = var.domain_names
  certificate_arn    = var.certificate_arn
  load_balancer      = var.load_balancer
  rate_limit         = var.rate_limit
  price_class        = var.price_class
  sign_in_origin     = "https://${module.identity.domain}"
  alarm_topic_arn    = module.observability.alarm_topic_arn
  log_retention_days = var.log_retention_days
  protect            = var.protect
}
