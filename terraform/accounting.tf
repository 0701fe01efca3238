module "accounting" {
  source = "./modules/service"

  service  = "accounting"
  platform = local.platform
  image    = local.images["accounting"]
  size     = var.accounting
  priority = 300
  # What the payment gateway reports is signed, and carries no token.
  open_paths = ["/v1/accounting/openapi.json", "/v1/accounting/docs", "/v1/accounting/gateway-events"]
  database   = module.database.services["accounting"]
  topic      = local.topics["accounting"]
  queues     = local.queues["accounting"]
  settings = merge(local.settings, var.seller == null ? {} : {
    SELLER = jsonencode(var.seller)
  })
  secrets = local.gateway_secrets
}

locals {
  # A task does not start with a secret that has no value yet.
  gateway_secrets = var.gateway_signs ? { GATEWAY_SECRETS = aws_secretsmanager_secret.gateway.arn } : {}
}

# What the payment gateway signs its events with: a JSON list that somebody puts in by
# hand, so that it is never here, nor in the state.
resource "aws_secretsmanager_secret" "gateway" {
  #checkov:skip=CKV2_AWS_57: The payment gateway gives these out, and says when they change.
  name        = "${local.name}/accounting/gateway-secrets"
  description = "JSON list of what the payment gateway signs its events with. Accounting reads it when it starts."
  # A name is free again at once where everything may be destroyed and made anew.
  recovery_window_in_days = var.protect ? 30 : 0
}
