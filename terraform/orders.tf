module "orders" {
  source = "./modules/service"

  service    = "orders"
  platform   = local.platform
  image      = local.images["orders"]
  size       = var.orders
  priority   = 100
  open_paths = ["/v1/orders/openapi.json", "/v1/orders/docs"]
  database   = module.database.services["orders"]
  topic      = local.topics["orders"]
  queues     = local.queues["orders"]
  settings   = local.settings
}
