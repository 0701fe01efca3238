# What dev.tfvars promises, planned with it on an empty account.

mock_provider "aws" {
  source = "./environments/mocks"
}

run "dev_is_cheap_and_goes_away_again" {
  command = plan

  assert {
    condition     = aws_ecs_cluster.main.name == "orderly-dev"
    error_message = "It would be taken for another environment."
  }
  assert {
    condition     = var.egress == "public" && var.database.min == 0 && var.database.readers == 0
    error_message = "Something costs money while nobody uses it."
  }
  assert {
    condition     = alltrue([for size in [var.orders, var.inventory, var.accounting] : size.tasks.min == 1])
    error_message = "More tasks wait for work than one of each."
  }
  assert {
    condition = (
      alltrue([for repository in aws_ecr_repository.service : repository.force_delete]) &&
      aws_secretsmanager_secret.gateway.recovery_window_in_days == 0
    )
    error_message = "terraform destroy would leave something behind."
  }
  assert {
    condition     = anytrue([for client in var.storefronts : contains(client.scopes, "inventory.write")])
    error_message = "Nobody could enter stock for the first order."
  }
  assert {
    condition     = var.deployment.strategy == "CANARY"
    error_message = "Production's way to deploy would never be tried before."
  }
}
