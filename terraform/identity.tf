module "identity" {
  source = "./modules/identity"

  name   = local.name
  region = var.region
  # Unique in the region: who has this account has this prefix.
  domain_prefix = "${local.name}-${data.aws_caller_identity.current.account_id}"
  # What the services ask for; a test holds it to their routes.
  scopes       = jsondecode(file("${path.module}/scopes.json"))
  storefronts  = var.storefronts
  console_urls = concat([module.edge.url, "${module.edge.url}/"], var.staff.callback_urls)
  mfa          = var.staff.mfa
  tier         = var.user_pool_tier
  protect      = var.protect
  audited      = var.audit != null
}
