module "observability" {
  source = "./modules/observability"

  name           = local.name
  region         = var.region
  account_id     = data.aws_caller_identity.current.account_id
  email          = var.alarm_email
  trace_sampling = var.trace_sampling
  own_metrics    = local.own_metrics.charts
  own_alarms     = local.own_metrics.alarms

  cluster_name             = aws_ecs_cluster.main.name
  load_balancer_arn_suffix = module.edge.load_balancer.arn_suffix
  database                 = module.database.cluster_identifier
  database_max_capacity    = var.database.max
  services = {
    for service, parts in local.parts : service => {
      service_name          = parts.service_name
      target_group_suffixes = parts.target_group_suffixes
      queues = [
        for queue in local.queues[service] : {
          name        = queue.name
          dead_letter = queue.dlq_name
        }
      ]
    }
  }
  systems = merge(
    { for service, parts in local.parts : service => values(parts.alarm_names) },
    {
      database = values(module.database.alarm_names)
      edge     = values(module.edge.alarm_names)
    },
    { for audit in module.audit : "audit" => values(audit.alarm_names) },
  )
}

locals {
  # By the names that the services give them: tests/test_terraform.py compares.
  own_metrics = jsondecode(file("${path.module}/metrics.json"))

  parts = {
    orders     = module.orders
    inventory  = module.inventory
    accounting = module.accounting
  }
}
