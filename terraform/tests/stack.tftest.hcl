# What is of no module: the images, the cluster, and what may be asked for.

mock_provider "aws" {
  source = "./environments/mocks"
}

run "images_are_found_by_a_tag_and_run_by_a_digest" {
  command = plan

  variables {
    build_images = false
    image_tag    = "1.2.3"
  }

  assert {
    condition = alltrue([
      for repository in aws_ecr_repository.service :
      repository.image_tag_mutability == "IMMUTABLE" &&
      one(repository.image_scanning_configuration).scan_on_push &&
      one(repository.encryption_configuration).encryption_type == "AES256" &&
      repository.force_delete
    ]) && toset(keys(aws_ecr_repository.service)) == setunion(local.services, ["orderly"])
    error_message = "Tags do not move, images are looked through and encrypted, and gone with the rest."
  }

  assert {
    condition = alltrue([
      for policy in aws_ecr_lifecycle_policy.service :
      [for rule in jsondecode(policy.policy).rules : rule.selection.tagStatus] == ["untagged", "tagged"]
    ]) && length(aws_ecr_lifecycle_policy.service) == 4
    error_message = "Repositories do not grow for ever."
  }

  assert {
    condition     = length(terraform_data.image) == 0 && alltrue([for image in data.aws_ecr_image.service : image.image_tag == "1.2.3"])
    error_message = "Nothing is built, and what was pushed is looked up while planning."
  }

  assert {
    condition     = aws_ecs_cluster_capacity_providers.main.capacity_providers == toset(["FARGATE", "FARGATE_SPOT"]) && one(aws_ecs_cluster.main.setting).value == "disabled"
    error_message = "Tasks run on Fargate, and Spot can be chosen."
  }

  assert {
    condition     = length(local.gateway_secrets) == 0 && aws_secretsmanager_secret.gateway.recovery_window_in_days == 0
    error_message = "Nobody reads the gateway's secrets before they are put in, and their place can be destroyed."
  }
}

run "the_gateways_secrets_were_put_in" {
  command = plan

  variables {
    gateway_signs = true
  }

  assert {
    condition     = toset(keys(local.gateway_secrets)) == toset(["GATEWAY_SECRETS"])
    error_message = "Accounting checks what the gateway signs."
  }
}

run "the_first_apply_builds_the_images" {
  command = plan

  assert {
    condition     = toset(keys(terraform_data.image)) == setunion(local.services, ["orderly"])
    error_message = "Each image is built before it is looked for."
  }

  assert {
    condition = alltrue([
      for file in ["libs/orderly/src/orderly/audit.py", "services/orders/src/orders/main.py", "services/accounting/pyproject.toml"] : contains(local.sources["orderly"], file)
    ]) && alltrue([for file in local.sources["orderly"] : !strcontains(file, "/migrations/")])
    error_message = "The command's image is made of the command and the services, as the recipe has it."
  }

  assert {
    condition = alltrue([
      for service in local.services :
      length(local.image_tags[service]) == 16 &&
      contains(local.sources[service], "uv.lock") &&
      contains(local.sources[service], "services/${service}/pyproject.toml") &&
      contains(local.sources[service], "libs/chassis/src/chassis/lifecycle.py") &&
      contains(local.sources[service], "libs/contracts/src/contracts/topology.py")
    ]) && length(distinct(values(local.image_tags))) == 4
    error_message = "An image is named by what it is made of."
  }

  assert {
    condition     = alltrue([for service in local.services : alltrue([for file in local.sources[service] : !startswith(file, "services/") || startswith(file, "services/${service}/") || file == "services/Dockerfile"])])
    error_message = "An image is not built anew for its neighbours."
  }
}

run "a_tag_needs_no_build" {
  command = plan

  variables {
    image_tag = "1.2.3"
  }

  expect_failures = [var.image_tag]
}

run "production_is_protected_and_says_who_sells" {
  command = plan

  variables {
    environment  = "prod"
    build_images = false
    image_tag    = "1.2.3"
  }

  expect_failures = [var.protect, var.seller]
}

run "names_fit" {
  command = plan

  variables {
    name = "a-name-too-long"
  }

  expect_failures = [var.name]
}

run "a_domain_needs_a_certificate_where_cloudfront_looks" {
  command = plan

  variables {
    domain_names    = ["orderly.example.com"]
    certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1"
  }

  expect_failures = [var.certificate_arn]
}

run "a_wall_needs_tls_and_rolling_deployments" {
  command = plan

  variables {
    load_balancer = {
      verify_tokens = true
    }
  }

  expect_failures = [var.load_balancer]
}

run "keys_of_others_are_not_behind_endpoints" {
  command = plan

  variables {
    egress = "endpoints"
    additional_issuers = [
      {
        issuer   = "https://elsewhere.example"
        jwks_url = "https://elsewhere.example/jwks.json"
        audience = "orderly"
      },
    ]
  }

  expect_failures = [var.additional_issuers]
}

run "the_audit_runs_by_digest_and_its_alarms_are_seen" {
  command = plan

  variables {
    build_images = false
    image_tag    = "1.2.3"
    audit        = {}
  }

  assert {
    condition     = data.aws_ecr_image.service["orderly"].image_tag == "1.2.3"
    error_message = "What audits is the command of the same version as the services."
  }

  assert {
    condition     = length(module.audit[0].alarm_names) == 2 && contains(keys(module.observability.system_alarms), "audit")
    error_message = "Whoever looks whether everything is well sees what the audit says."
  }
}

run "the_console_is_what_the_repository_has_and_people_sign_in_by_name" {
  command = plan

  assert {
    condition = alltrue([
      for file, object in aws_s3_object.console :
      object.key == file && object.cache_control == "no-cache" && object.bucket == module.edge.console_bucket.name
    ]) && aws_s3_object.console["index.html"].content_type == "text/html; charset=utf-8" && aws_s3_object.console["vendor/preact-htm.js"].content_type == "text/javascript; charset=utf-8"
    error_message = "Each file is what it says, and browsers ask whether it changed."
  }

  assert {
    condition     = setsubtract(fileset("../console", "**"), keys(aws_s3_object.console)) == toset(["README.md", "config.json", "vendor/README.md"])
    error_message = "All that the repository has is there, the licences of what others wrote included."
  }

  assert {
    condition     = !contains(keys(aws_s3_object.console), "config.json") && !contains(keys(aws_s3_object.console), "README.md")
    error_message = "Who pastes tokens does so on a machine of their own; what is written for people stays in the repository."
  }

  assert {
    condition     = local.console_sign_in.by == "code" && local.console_sign_in.origin == "https://${module.identity.domain}" && contains(local.console_sign_in.scopes, "orderly/ops") && length(local.console_sign_in.scopes) == 2 + length(jsondecode(file("scopes.json")))
    error_message = "The console signs people in where the user pool does, for all that staff may do."
  }
}
