locals {
  issuer = "https://cognito-idp.${var.region}.amazonaws.com/${aws_cognito_user_pool.main.id}"
}

output "issuer" {
  description = "As the services' settings read it. Cognito's access tokens carry no audience: the clients are listed."
  value = {
    issuer   = local.issuer
    jwks_url = "${local.issuer}/.well-known/jwks.json"
    client_ids = sort(concat(
      [aws_cognito_user_pool_client.staff.id],
      [for client in aws_cognito_user_pool_client.storefront : client.id],
      aws_cognito_user_pool_client.audit[*].id,
    ))
  }
}

output "user_pool_id" {
  description = "Of the user pool: `aws cognito-idp admin-create-user` makes staff."
  value       = aws_cognito_user_pool.main.id
}

output "console_client_id" {
  description = "What the console signs in as."
  value       = aws_cognito_user_pool_client.staff.id
}

output "storefront_client_ids" {
  description = "By storefront; `aws cognito-idp describe-user-pool-client` shows the secrets."
  value       = { for name, client in aws_cognito_user_pool_client.storefront : name => client.id }
}

output "audit_client" {
  description = "What the audit signs in as; null where there is none."
  value = one([
    for client in aws_cognito_user_pool_client.audit : { id = client.id, secret = client.client_secret }
  ])
  sensitive = true
}

output "domain" {
  description = "Where people sign in."
  value       = "${aws_cognito_user_pool_domain.main.domain}.auth.${var.region}.amazoncognito.com"
}

output "token_url" {
  description = "Where clients ask for tokens."
  value       = "https://${aws_cognito_user_pool_domain.main.domain}.auth.${var.region}.amazoncognito.com/oauth2/token"
}
