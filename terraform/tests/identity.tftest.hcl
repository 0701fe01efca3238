# Who gets a token, and what it opens.

mock_provider "aws" {
  override_during = plan

  mock_resource "aws_cognito_user_pool" {
    defaults = {
      id = "us-east-1_abc"
    }
  }

  mock_resource "aws_cognito_user_pool_client" {
    defaults = {
      id = "client"
    }
  }

  override_resource {
    target = aws_cognito_user_pool_client.staff
    values = {
      id = "staff-client"
    }
  }
}

variables {
  name          = "orderly-dev"
  region        = "us-east-1"
  domain_prefix = "orderly-dev-123456789012"
  scopes = {
    "orders.write"   = "Place orders."
    "orders.read"    = "See orders."
    "inventory.read" = "See stock."
    "channel.web"    = "Place orders of the channel web."
    "channel.mobile" = "Place orders of the channel mobile."
    "ops"            = "Look after queues."
  }
  storefronts = {
    web    = { channels = ["web"], scopes = ["orders.write", "orders.read"] }
    mobile = { channels = ["mobile"], scopes = ["orders.write"] }
  }
  console_urls = ["https://d1.cloudfront.net/"]
  mfa          = true
  tier         = "LITE"
  protect      = false
}

run "who_signs_in" {
  command = plan

  module {
    source = "./modules/identity"
  }

  assert {
    condition     = one(aws_cognito_user_pool.main.admin_create_user_config).allow_admin_create_user_only
    error_message = "Nobody makes himself staff."
  }

  assert {
    condition     = aws_cognito_user_pool.main.mfa_configuration == "ON" && one(aws_cognito_user_pool.main.software_token_mfa_configuration).enabled
    error_message = "Staff have a second factor."
  }

  assert {
    condition     = one(aws_cognito_user_pool.main.password_policy).minimum_length >= 12
    error_message = "Passwords are long."
  }

  assert {
    condition     = aws_cognito_user_pool.main.deletion_protection == "INACTIVE"
    error_message = "What is not protected can be destroyed."
  }

  assert {
    condition     = aws_cognito_resource_server.main.identifier == "orderly" && toset([for scope in aws_cognito_resource_server.main.scope : scope.scope_name]) == toset(keys(var.scopes))
    error_message = "The services strip `orderly/`, and ask for these scopes."
  }

  assert {
    condition     = aws_cognito_user_pool_client.storefront["web"].allowed_oauth_scopes == toset(["orderly/orders.write", "orderly/orders.read", "orderly/channel.web"])
    error_message = "A storefront has its scopes and its channel, and no more."
  }

  assert {
    condition     = aws_cognito_user_pool_client.storefront["mobile"].allowed_oauth_scopes == toset(["orderly/orders.write", "orderly/channel.mobile"])
    error_message = "One storefront does not order for another's channel."
  }

  assert {
    condition = alltrue([
      for client in aws_cognito_user_pool_client.storefront :
      client.generate_secret && client.allowed_oauth_flows == toset(["client_credentials"]) && client.access_token_validity == 60
    ])
    error_message = "A storefront's server shows its secret, and gets an hour."
  }

  assert {
    condition     = !aws_cognito_user_pool_client.staff.generate_secret && aws_cognito_user_pool_client.staff.allowed_oauth_flows == toset(["code"])
    error_message = "A browser keeps no secret, and gets no token in an address."
  }

  assert {
    condition     = contains(aws_cognito_user_pool_client.staff.allowed_oauth_scopes, "orderly/ops") && aws_cognito_user_pool_client.staff.callback_urls == toset(["https://d1.cloudfront.net/"])
    error_message = "Staff may do everything, from the console."
  }

  assert {
    condition     = output.issuer.issuer == "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_abc" && output.issuer.jwks_url == "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_abc/.well-known/jwks.json"
    error_message = "Services check `iss` against this, exactly."
  }

  assert {
    condition     = join(" ", output.issuer.client_ids) == "client client staff-client"
    error_message = "Every client of ours is accepted, and no other of the pool."
  }

  assert {
    condition     = output.token_url == "https://orderly-dev-123456789012.auth.us-east-1.amazoncognito.com/oauth2/token"
    error_message = "Tokens are asked for at the pool's domain."
  }
}

run "a_pool_that_is_kept" {
  command = plan

  module {
    source = "./modules/identity"
  }

  variables {
    protect = true
    mfa     = false
  }

  assert {
    condition     = aws_cognito_user_pool.main.deletion_protection == "ACTIVE"
    error_message = "Users are not deleted by mistake."
  }

  assert {
    condition     = aws_cognito_user_pool.main.mfa_configuration == "OPTIONAL"
    error_message = "Who does not want a second factor is not asked for it."
  }
}

run "sign_in_over_http" {
  command = plan

  module {
    source = "./modules/identity"
  }

  variables {
    console_urls = ["http://shop.example.com/"]
  }

  expect_failures = [var.console_urls]
}
