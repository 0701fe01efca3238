# Whether the three services agree, asked every so often. Off where tasks reach nothing
# but AWS: it comes in by the front door.
module "audit" {
  source = "./modules/audit"
  count  = var.audit == null ? 0 : 1

  platform = local.platform
  image    = local.images[local.command]
  url      = module.edge.url
  client = {
    id        = module.identity.audit_client.id
    secret    = module.identity.audit_client.secret
    token_url = module.identity.token_url
  }
  schedule     = var.audit.schedule
  silent_hours = var.audit.silent_hours
  protect      = var.protect
}
