output "url" {
  description = "Where everything is reached: the console, and the API under /v1."
  value       = module.edge.url
}

output "dns_target" {
  description = "What DNS records of domain_names point to: an alias, or a CNAME."
  value       = module.edge.distribution.domain_name
}

output "distribution_id" {
  description = "Of CloudFront."
  value       = module.edge.distribution.id
}

output "console_bucket" {
  description = "Where the console's files are."
  value       = module.edge.console_bucket.name
}

output "repositories" {
  description = "Where images are pushed, by service; and the command's."
  value       = { for service, repository in aws_ecr_repository.service : service => repository.repository_url }
}

output "images" {
  description = "What runs, by its digest."
  value       = { for service, image in local.images : service => image.uri }
}

output "image_tag" {
  description = "The tag that was asked for: given again, it leaves the images as they are. Null where they are built by applying."
  value       = var.image_tag
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

output "dashboard_url" {
  description = "The page to look at first."
  value       = module.observability.dashboard_url
}

output "token_url" {
  description = "Where storefronts ask for tokens, with their client id and secret."
  value       = module.identity.token_url
}

output "user_pool_id" {
  description = "Of the user pool: staff are made in it."
  value       = module.identity.user_pool_id
}

output "console_client_id" {
  description = "What the console signs in as."
  value       = module.identity.console_client_id
}

output "sign_in_domain" {
  description = "Where people sign in."
  value       = module.identity.domain
}

output "storefront_client_ids" {
  description = "What each storefront signs in as."
  value       = module.identity.storefront_client_ids
}

output "next_steps" {
  description = "What to do now."
  value = join("\n", concat(
    [
      "Orderly is at ${module.edge.url}, its API under ${module.edge.url}/v1.",
    ],
    length(var.domain_names) == 0 ? [] : [
      "",
      "Point ${join(", ", var.domain_names)} to ${module.edge.distribution.domain_name}.",
    ],
    [
      for name, id in module.identity.storefront_client_ids : chomp(<<-EOT

        A token for the storefront ${name}, for an hour:
          SECRET=$(aws cognito-idp describe-user-pool-client --region ${var.region} --user-pool-id ${module.identity.user_pool_id} --client-id ${id} --query UserPoolClient.ClientSecret --output text)
          TOKEN=$(curl -s -u "${id}:$SECRET" -d grant_type=client_credentials ${module.identity.token_url} | jq -r .access_token)
          curl -H "Authorization: Bearer $TOKEN" ${module.edge.url}/v1/orders
      EOT
      )
      if name == keys(module.identity.storefront_client_ids)[0]
    ],
    [
      "",
      "Somebody who signs in to the console, and gets a first password by mail:",
      "  aws cognito-idp admin-create-user --region ${var.region} --user-pool-id ${module.identity.user_pool_id} --username you@example.com --user-attributes Name=email,Value=you@example.com Name=email_verified,Value=true --desired-delivery-mediums EMAIL",
      "",
      "How it is doing: ${module.observability.dashboard_url}",
      "What it says: aws logs tail --region ${var.region} --follow ${module.orders.log_group_name}",
    ],
    var.alarm_email == null ? [] : [
      "",
      "Confirm the subscription that AWS has sent to ${var.alarm_email}: alarms reach nobody before.",
    ],
  ))
}
