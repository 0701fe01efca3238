module "inventory" {
  source = "./modules/service"

  service    = "inventory"
  platform   = local.platform
  image      = local.images["inventory"]
  size       = var.inventory
  priority   = 200
  open_paths = ["/v1/inventory/openapi.json", "/v1/inventory/docs"]
  database   = module.database.services["inventory"]
  topic      = local.topics["inventory"]
  queues     = local.queues["inventory"]
  settings   = local.settings
}
