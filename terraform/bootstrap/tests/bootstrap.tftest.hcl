# Documents are rendered by a real provider only; mocked, they show what went into them.
mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
  }
  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::123456789012:policy/delivery/orderly-prod-boundary" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::orderly-prod-state-123456789012" }
  }
}

variables {
  environment       = "prod"
  github_repository = "acme/orderly"
}

run "the_state_can_be_had_back_and_nobody_else_reads_it" {
  assert {
    condition     = aws_s3_bucket.state.bucket == "orderly-prod-state-123456789012"
    error_message = "The bucket's name is not one that can be known beforehand."
  }
  assert {
    condition     = aws_s3_bucket_versioning.state.versioning_configuration[0].status == "Enabled"
    error_message = "A broken state could not be taken back."
  }
  assert {
    condition = one(
      one(aws_s3_bucket_server_side_encryption_configuration.state.rule).apply_server_side_encryption_by_default
    ).sse_algorithm == "AES256"
    error_message = "The state is not encrypted."
  }
  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.state.block_public_acls,
      aws_s3_bucket_public_access_block.state.block_public_policy,
      aws_s3_bucket_public_access_block.state.ignore_public_acls,
      aws_s3_bucket_public_access_block.state.restrict_public_buckets,
    ])
    error_message = "The state could be made public."
  }
}

run "only_the_environment_deploys" {
  assert {
    condition = flatten([
      for condition in data.aws_iam_policy_document.trust["deploy"].statement[0].condition : tolist(condition.values)
      if condition.variable == "token.actions.githubusercontent.com:sub" && condition.test == "StringEquals"
    ]) == ["repo:acme/orderly:environment:prod"]
    error_message = "Others than the approved environment may deploy."
  }
  assert {
    condition = flatten([
      for condition in data.aws_iam_policy_document.trust["plan"].statement[0].condition : tolist(condition.values)
      if condition.variable == "token.actions.githubusercontent.com:sub" && condition.test == "StringEquals"
    ]) == ["repo:acme/orderly:pull_request"]
    error_message = "Others than pull requests may plan."
  }
  assert {
    condition = alltrue([
      for role in ["plan", "deploy"] : contains(
        [for condition in data.aws_iam_policy_document.trust[role].statement[0].condition : condition.variable],
        "token.actions.githubusercontent.com:aud",
      )
    ])
    error_message = "Tokens that GitHub gave out for others than AWS are accepted."
  }
}

run "a_plan_reads_no_more_than_it_must" {
  assert {
    condition     = aws_iam_role_policy_attachment.plan[0].policy_arn == "arn:aws:iam::aws:policy/ReadOnlyAccess"
    error_message = "A pull request may do more than read."
  }
  assert {
    condition = anytrue([
      for statement in data.aws_iam_policy_document.no_data.statement : statement.effect == "Deny" && length(setsubtract(
        ["secretsmanager:GetSecretValue", "sqs:ReceiveMessage", "rds-db:*"], statement.actions
      )) == 0
    ])
    error_message = "The roles can read passwords, messages or the database."
  }
  assert {
    condition = alltrue([
      for document in [data.aws_iam_policy_document.plan, data.aws_iam_policy_document.resources] :
      document.source_policy_documents == tolist([data.aws_iam_policy_document.no_data.json])
    ])
    error_message = "What is denied to both is not denied to each."
  }
}

run "a_deployment_gives_no_role_more_than_the_boundary" {
  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.roles.statement : anytrue([
        for condition in statement.condition :
        condition.variable == "iam:PermissionsBoundary" && tolist(condition.values) == tolist([aws_iam_policy.boundary.arn])
      ])
      if length(setintersection(statement.actions, [
        "iam:AttachRolePolicy",
        "iam:CreateRole",
        "iam:DeleteRolePolicy",
        "iam:PutRolePermissionsBoundary",
        "iam:PutRolePolicy",
      ])) > 0
    ])
    error_message = "A deployment could make itself an administrator."
  }
  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.roles.statement :
      tolist(statement.resources) == tolist(["arn:aws:iam::123456789012:role/orderly-*"])
      if !contains(["SeeRolesAndPolicies", "ServicesMakeTheirOwnRoles"], statement.sid)
    ])
    error_message = "A deployment reaches roles that are not the stack's."
  }
  assert {
    condition     = aws_iam_role.deploy[0].path == "/delivery/" && aws_iam_policy.boundary.path == "/delivery/"
    error_message = "A deployment could change its own role, or the boundary."
  }
  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.boundary.statement : alltrue([
        for action in statement.actions : !startswith(action, "iam:") && !startswith(action, "sts:") && action != "*"
      ])
      if statement.sid != "HandRolesToTasks"
    ])
    error_message = "The boundary lets a role change what roles may do."
  }
  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.boundary.statement :
      statement.actions == toset(["iam:PassRole"]) && one(one(statement.condition).values) == "ecs-tasks.amazonaws.com" && statement.resources == toset(["arn:aws:iam::123456789012:role/orderly-*"])
      if statement.sid == "HandRolesToTasks"
    ])
    error_message = "The boundary lets a role be handed to others than the stack's tasks."
  }
  assert {
    condition = length(setsubtract(["ecs:RunTask", "ecs:TagResource", "iam:PassRole"], flatten([
      for statement in data.aws_iam_policy_document.boundary.statement : tolist(statement.actions)
    ]))) == 0
    error_message = "The boundary keeps the schedule from starting the audit."
  }
}

run "an_account_without_github_has_no_roles_for_it" {
  variables {
    github_repository = null
  }

  assert {
    condition     = length(aws_iam_role.plan) + length(aws_iam_role.deploy) + length(aws_iam_openid_connect_provider.github) == 0
    error_message = "There is a way in that nobody asked for."
  }
}

run "a_provider_that_is_there_is_used" {
  variables {
    github_provider_arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0 && length(aws_iam_role.deploy) == 1
    error_message = "An account can have one provider for GitHub only."
  }
}

run "repositories_with_wildcards_are_refused" {
  command = plan

  variables {
    github_repository = "acme/*"
  }

  expect_failures = [var.github_repository]
}

run "repositories_may_carry_their_ids" {
  command = plan

  variables {
    github_repository = "acme@1234/orderly@5678"
  }

  assert {
    condition     = local.subjects.deploy == "repo:acme@1234/orderly@5678:environment:prod"
    error_message = "Repositories created since July 2026 cannot deploy."
  }
}
