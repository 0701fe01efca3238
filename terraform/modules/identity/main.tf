# Who may ask: storefronts by a secret of their own, and staff by name.

locals {
  # Services strip it: `orderly/orders.read` is their `orders.read`.
  resource_server = "orderly"

  storefront_scopes = {
    for name, storefront in var.storefronts : name => concat(
      [for channel in storefront.channels : "channel.${channel}"],
      tolist(storefront.scopes),
    )
  }
}

resource "aws_cognito_user_pool" "main" {
  name                = var.name
  user_pool_tier      = var.tier
  deletion_protection = var.protect ? "ACTIVE" : "INACTIVE"

  # Whoever could sign up would be staff, and may do everything.
  admin_create_user_config {
    allow_admin_create_user_only = true
  }

  username_attributes      = ["email"]
  auto_verified_attributes = ["email"]

  username_configuration {
    case_sensitive = false
  }

  password_policy {
    minimum_length                   = 14
    require_lowercase                = true
    require_numbers                  = true
    require_symbols                  = false
    require_uppercase                = true
    temporary_password_validity_days = 3
  }

  mfa_configuration = var.mfa ? "ON" : "OPTIONAL"

  software_token_mfa_configuration {
    enabled = true
  }

  account_recovery_setting {
    recovery_mechanism {
      name     = "verified_email"
      priority = 1
    }
  }

  lifecycle {
    # Attributes of a pool cannot be changed or taken away again.
    ignore_changes = [schema]
  }
}

resource "aws_cognito_user_pool_domain" "main" {
  domain       = var.domain_prefix
  user_pool_id = aws_cognito_user_pool.main.id
}

resource "aws_cognito_resource_server" "main" {
  identifier   = local.resource_server
  name         = "Orderly"
  user_pool_id = aws_cognito_user_pool.main.id

  dynamic "scope" {
    for_each = var.scopes

    content {
      scope_name        = scope.key
      scope_description = scope.value
    }
  }
}

# A storefront's server asks for a token once an hour: Cognito charges for each. The
# secret is in the state file, as Cognito makes it; guard that like the secret.
resource "aws_cognito_user_pool_client" "storefront" {
  for_each = var.storefronts

  name                                 = "${var.name}-${each.key}"
  user_pool_id                         = aws_cognito_user_pool.main.id
  generate_secret                      = true
  allowed_oauth_flows_user_pool_client = true
  allowed_oauth_flows                  = ["client_credentials"]
  allowed_oauth_scopes = [
    for scope in local.storefront_scopes[each.key] : "${aws_cognito_resource_server.main.identifier}/${scope}"
  ]
  # Cognito takes none at all for its defaults, which let people sign in here.
  explicit_auth_flows     = ["ALLOW_REFRESH_TOKEN_AUTH"]
  enable_token_revocation = true
  access_token_validity   = 60

  token_validity_units {
    access_token = "minutes"
  }
}

# The audit looks, and may do nothing but what operators may.
resource "aws_cognito_user_pool_client" "audit" {
  count = var.audited ? 1 : 0

  name                                 = "${var.name}-audit"
  user_pool_id                         = aws_cognito_user_pool.main.id
  generate_secret                      = true
  allowed_oauth_flows_user_pool_client = true
  allowed_oauth_flows                  = ["client_credentials"]
  allowed_oauth_scopes                 = ["${aws_cognito_resource_server.main.identifier}/ops"]
  explicit_auth_flows                  = ["ALLOW_REFRESH_TOKEN_AUTH"]
  enable_token_revocation              = true
  access_token_validity                = 60

  token_validity_units {
    access_token = "minutes"
  }
}

# The console runs in browsers, which keep no secret: it signs in by code and PKCE.
resource "aws_cognito_user_pool_client" "staff" {
  name                                 = "${var.name}-staff"
  user_pool_id                         = aws_cognito_user_pool.main.id
  generate_secret                      = false
  allowed_oauth_flows_user_pool_client = true
  allowed_oauth_flows                  = ["code"]
  allowed_oauth_scopes = concat(
    ["openid", "email"],
    [for scope in keys(var.scopes) : "${aws_cognito_resource_server.main.identifier}/${scope}"],
  )
  supported_identity_providers  = ["COGNITO"]
  callback_urls                 = var.console_urls
  logout_urls                   = var.console_urls
  explicit_auth_flows           = ["ALLOW_REFRESH_TOKEN_AUTH"]
  prevent_user_existence_errors = "ENABLED"
  enable_token_revocation       = true
  access_token_validity         = 60
  id_token_validity             = 60
  # A working day: then one signs in again.
  refresh_token_validity = 10

  token_validity_units {
    access_token  = "minutes"
    id_token      = "minutes"
    refresh_token = "hours"
  }
}
