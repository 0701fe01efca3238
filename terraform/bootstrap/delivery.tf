# What GitHub's workflows may do here: a role to plan with, and a role to deploy with. They are
# made apart from the stack, so that a deployment can neither change nor delete them.

locals {
  name = "${var.name}-${var.environment}"

  github  = var.github_repository == null ? 0 : 1
  account = data.aws_caller_identity.current.account_id
  # Roles and policies of the stack have no path; these have one, and the stack's deployments
  # have no say over it.
  path = "/delivery/"

  subjects = {
    plan   = "repo:${coalesce(var.github_repository, "-")}:pull_request"
    deploy = "repo:${coalesce(var.github_repository, "-")}:environment:${var.environment}"
  }
  provider_arn = one(concat(
    aws_iam_openid_connect_provider.github[*].arn,
    var.github_provider_arn[*],
  ))
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

resource "aws_iam_openid_connect_provider" "github" {
  count = var.github_provider_arn == null ? local.github : 0

  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

data "aws_iam_policy_document" "trust" {
  for_each = local.github == 1 ? local.subjects : {}

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [local.provider_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:sub"
      values   = [each.value]
    }
  }
}

# Reading what there is, to show on a pull request what would change.

resource "aws_iam_role" "plan" {
  count = local.github

  name               = "${local.name}-plan"
  path               = local.path
  description        = "Pull requests of ${var.github_repository} plan with this"
  assume_role_policy = data.aws_iam_policy_document.trust["plan"].json
}

resource "aws_iam_role_policy_attachment" "plan" {
  count = local.github

  role       = aws_iam_role.plan[0].name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/ReadOnlyAccess"
}

resource "aws_iam_role_policy" "plan" {
  count = local.github

  name   = "state"
  role   = aws_iam_role.plan[0].name
  policy = data.aws_iam_policy_document.plan.json
}

data "aws_iam_policy_document" "plan" {
  source_policy_documents = [data.aws_iam_policy_document.no_data.json]

  statement {
    sid     = "NoObjectsButTheState"
    effect  = "Deny"
    actions = ["s3:GetObject*"] # versions and attributes as well
    not_resources = [
      "${aws_s3_bucket.state.arn}/*",
    ]
  }
}

# Changing what there is.

resource "aws_iam_role" "deploy" {
  count = local.github

  name                 = "${local.name}-deploy"
  path                 = local.path
  description          = "Deployments of ${var.github_repository} to ${var.environment}"
  assume_role_policy   = data.aws_iam_policy_document.trust["deploy"].json
  max_session_duration = 2 * 60 * 60 # three canaries and a rollback outlast an hour
}

resource "aws_iam_role_policy" "deploy" {
  for_each = local.github == 1 ? {
    resources = data.aws_iam_policy_document.resources.json
    roles     = data.aws_iam_policy_document.roles.json
  } : {}

  name   = each.key
  role   = aws_iam_role.deploy[0].name
  policy = each.value
}

data "aws_iam_policy_document" "resources" {
  source_policy_documents = [data.aws_iam_policy_document.no_data.json]

  # The stack creates, changes and deletes whatever these services have, and most of it has no
  # name before it is there. The account has nothing else in it: one environment per account.
  statement {
    sid = "WhatTheStackConsistsOf"
    actions = [
      "acm:Describe*",
      "acm:List*",
      "application-autoscaling:*",
      "budgets:*",
      "cloudfront:*",
      "cloudwatch:*",
      "cognito-idp:*",
      "ec2:*",
      "ecr:*",
      "ecs:*",
      "elasticloadbalancing:*",
      "kms:*",
      "logs:*",
      "rds:*",
      "s3:*",
      "scheduler:*",
      "secretsmanager:*",
      "sns:*",
      "sqs:*",
      "wafv2:*",
      "xray:*",
    ]
    resources = ["*"]

    # CloudFront, its WAF and budgets are in us-east-1 wherever the stack is.
    condition {
      test     = "StringEquals"
      variable = "aws:RequestedRegion"
      values   = distinct([var.region, "us-east-1"])
    }
  }

  statement {
    sid       = "TheStateStays"
    effect    = "Deny"
    actions   = ["s3:DeleteBucket*", "s3:DeleteObjectVersion", "s3:PutBucket*", "s3:PutLifecycle*"]
    resources = [aws_s3_bucket.state.arn, "${aws_s3_bucket.state.arn}/*"]
  }
}

data "aws_iam_policy_document" "roles" {
  #checkov:skip=CKV_AWS_356: Reading who may do what changes nothing, and Terraform reads AWS's own policies too.
  statement {
    sid       = "SeeRolesAndPolicies"
    actions   = ["iam:Get*", "iam:List*"]
    resources = ["*"]
  }

  # Whatever a deployment lets a role do, the boundary is the most it can do.
  statement {
    sid = "RolesWithinTheBoundary"
    actions = [
      "iam:AttachRolePolicy",
      "iam:CreateRole",
      "iam:DeleteRolePolicy",
      "iam:DetachRolePolicy",
      "iam:PutRolePermissionsBoundary",
      "iam:PutRolePolicy",
    ]
    resources = [local.roles]

    condition {
      test     = "StringEquals"
      variable = "iam:PermissionsBoundary"
      values   = [aws_iam_policy.boundary.arn]
    }
  }

  statement {
    sid = "RolesOfTheStack"
    actions = [
      "iam:DeleteRole",
      "iam:TagRole",
      "iam:UntagRole",
      "iam:UpdateAssumeRolePolicy",
      "iam:UpdateRole",
      "iam:UpdateRoleDescription",
    ]
    resources = [local.roles]
  }

  statement {
    sid       = "HandRolesToServices"
    actions   = ["iam:PassRole"]
    resources = [local.roles]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values = [
        "ecs-tasks.amazonaws.com",
        "ecs.amazonaws.com",
        "monitoring.rds.amazonaws.com",
        "scheduler.amazonaws.com",
        "vpc-flow-logs.amazonaws.com",
      ]
    }
  }

  statement {
    sid       = "ServicesMakeTheirOwnRoles"
    actions   = ["iam:CreateServiceLinkedRole"]
    resources = ["arn:${data.aws_partition.current.partition}:iam::${local.account}:role/aws-service-role/*"]

    condition {
      test     = "StringEquals"
      variable = "iam:AWSServiceName"
      values = [
        "ecs.amazonaws.com",
        "ecs.application-autoscaling.amazonaws.com",
        "elasticloadbalancing.amazonaws.com",
        "rds.amazonaws.com",
        "vpcorigin.cloudfront.amazonaws.com",
        "wafv2.amazonaws.com",
      ]
    }
  }
}

# Neither role has business with what the shop's customers wrote, or with passwords.
data "aws_iam_policy_document" "no_data" {
  statement {
    sid    = "NoData"
    effect = "Deny"
    actions = [
      "cognito-idp:AdminGetUser",
      "cognito-idp:ListUsers",
      "logs:FilterLogEvents",
      "logs:GetLogEvents",
      "logs:GetQueryResults",
      "logs:StartQuery",
      "rds-data:*",
      "rds-db:*",
      "secretsmanager:BatchGetSecretValue",
      "secretsmanager:GetSecretValue",
      "sqs:ReceiveMessage",
      "ssm:GetParameter*",
    ]
    resources = ["*"]
  }
}
