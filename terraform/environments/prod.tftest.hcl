# What prod.tfvars promises, planned with it on an empty account.

mock_provider "aws" {
  source = "./environments/mocks"
}

run "prod_stays_up_and_keeps_what_it_has" {
  command = plan

  assert {
    condition     = aws_ecs_cluster.main.name == "orderly-prod"
    error_message = "It would be taken for another environment."
  }
  assert {
    condition = (
      !anytrue([for repository in aws_ecr_repository.service : repository.force_delete]) &&
      aws_secretsmanager_secret.gateway.recovery_window_in_days > 0
    )
    error_message = "Something could be destroyed by mistake."
  }
  assert {
    condition     = alltrue([for size in [var.orders, var.inventory, var.accounting] : size.tasks.min >= 2])
    error_message = "A task that dies would leave nobody to answer."
  }
  assert {
    condition     = var.database.min > 0 && var.database.readers >= 1 && var.database.backup_days >= 14
    error_message = "The database sleeps, has nothing to fail over to, or is not kept long enough."
  }
  assert {
    condition     = var.egress != "public"
    error_message = "Tasks have public addresses."
  }
  assert {
    condition     = var.deployment.strategy == "CANARY" && var.deployment.bake_minutes >= 5 && var.deployment.canary_percent <= 10
    error_message = "A bad version would meet more customers than it has to."
  }
  assert {
    condition     = var.alarm_email != null && aws_budgets_budget.monthly.limit_amount == tostring(var.monthly_budget)
    error_message = "Nobody would hear of alarms, or of what it costs."
  }
}
