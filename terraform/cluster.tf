# Where the three services run, and what they share.

resource "aws_ecs_cluster" "main" {
  name = local.name

  setting {
    name  = "containerInsights"
    value = var.container_insights
  }
}

resource "aws_ecs_cluster_capacity_providers" "main" {
  cluster_name       = aws_ecs_cluster.main.name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]
}

locals {
  services = toset(["orders", "inventory", "accounting"])

  platform = {
    name       = local.name
    region     = var.region
    account_id = data.aws_caller_identity.current.account_id
    cluster = {
      arn = aws_ecs_cluster.main.arn
      # Known once it has its capacity providers, which services ask for.
      name = aws_ecs_cluster_capacity_providers.main.cluster_name
    }
    network       = module.network.tasks
    load_balancer = module.edge.load_balancer
    token_issuer = var.load_balancer.verify_tokens ? {
      issuer   = module.identity.issuer.issuer
      jwks_url = module.identity.issuer.jwks_url
    } : null
    database_security_group_id = module.database.security_group_id
    master_secret_arn          = module.database.master_secret_arn
    # The user pool's stays the first: ids of orders are made of its plain client ids.
    issuers              = jsonencode(concat([module.identity.issuer], var.additional_issuers))
    cpu_architecture     = var.cpu_architecture
    spot_weight          = var.spot_weight
    deployment           = var.deployment
    alarm_topic_arn      = module.observability.alarm_topic_arn
    log_retention_days   = var.log_retention_days
    debug                = var.debug
    trace_sampling       = var.trace_sampling
    permissions_boundary = var.permissions_boundary
  }

  # Of every service; the ones of one alone are in its own file.
  settings = {
    CORS_ORIGINS = jsonencode(var.cors_origins)
    LOG_LEVEL    = var.log_level
  }
}
