output "url" {
  description = "Where everything is reached: the console, and the API under /v1."
  value       = module.edge.url
}

output "dns_target" {
  description = "What DNS records of domain_names point to: an alias, or a CNAME."
  value       = module.edge.distribution.domain_name
}

output "distribution_id" {
  description = "Of CloudFront, to invalidate the console after it was uploaded."
  value       = module.edge.distribution.id
}

output "console_bucket" {
  description = "Where the console's files go."
  value       = module.edge.console_bucket.name
}

output "repositories" {
  description = "Where images are pushed, by service."
  value       = { for service, repository in aws_ecr_repository.service : service => repository.repository_url }
}

output "images" {
  description = "What runs, by service and digest."
  value       = { for service, image in local.images : service => image.uri }
}

output "cluster" {
  description = "The ECS cluster."
  value       = aws_ecs_cluster.main.name
}

output "log_groups" {
  description = "Where the services' lines are: `aws logs tail --follow <group>`."
  value = {
    orders     = module.orders.log_group_name
    inventory  = module.inventory.log_group_name
    accounting = module.accounting.log_group_name
  }
}

output "gateway_secret_arn" {
  description = "Where the payment gateway's signing secrets go, as a JSON list."
  value       = aws_secretsmanager_secret.gateway.arn
}
