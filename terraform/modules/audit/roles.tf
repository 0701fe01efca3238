# The audit itself may do nothing in AWS; ECS may start it, and the scheduler may ask for
# that, of this task and no other.

module "roles" {
  source = "../task_roles"

  name           = local.full_name
  what           = "the audit"
  platform       = var.platform
  log_group_arn  = aws_cloudwatch_log_group.main.arn
  repository_arn = var.image.repository_arn
  secret_arns    = [aws_secretsmanager_secret.client.arn]
}

data "aws_iam_policy_document" "scheduler_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.platform.account_id]
    }
  }
}

data "aws_iam_policy_document" "scheduler" {
  statement {
    sid     = "Start"
    actions = ["ecs:RunTask"]
    # Of every revision: a schedule goes on while a new one takes over.
    resources = ["${local.family}:*"]

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [var.platform.cluster.arn]
    }
  }

  statement {
    sid       = "Tag"
    actions   = ["ecs:TagResource"]
    resources = ["arn:aws:ecs:${var.platform.region}:${var.platform.account_id}:task/${var.platform.cluster.name}/*"]

    condition {
      test     = "StringEquals"
      variable = "ecs:CreateAction"
      values   = ["RunTask"]
    }
  }

  statement {
    sid       = "HandOver"
    actions   = ["iam:PassRole"]
    resources = [module.roles.task.arn, module.roles.execution.arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "scheduler" {
  name                 = "${local.full_name}-scheduler"
  description          = "What the scheduler does to have the audit started."
  assume_role_policy   = data.aws_iam_policy_document.scheduler_trust.json
  permissions_boundary = var.platform.permissions_boundary
}

resource "aws_iam_role_policy" "scheduler" {
  name   = "scheduler"
  role   = aws_iam_role.scheduler.id
  policy = data.aws_iam_policy_document.scheduler.json
}
