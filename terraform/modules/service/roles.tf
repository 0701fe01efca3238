# What the service may do, what ECS may do to start it, and what it may do to deploy it.

module "roles" {
  source = "../task_roles"

  name           = local.full_name
  what           = var.service
  platform       = var.platform
  log_group_arn  = aws_cloudwatch_log_group.main.arn
  repository_arn = var.image.repository_arn
  secret_arns    = concat([var.platform.master_secret_arn], values(var.secrets))
}

data "aws_iam_policy_document" "task" {
  statement {
    sid       = "Announce"
    actions   = ["sns:Publish"]
    resources = [var.topic.arn]
  }

  # Sending too: poison goes to the dead letters, these go back when they are redriven,
  # and Orders writes to its intake queue while its database does not answer.
  statement {
    sid = "Listen"
    actions = [
      "sqs:ChangeMessageVisibility",
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
      "sqs:GetQueueUrl",
      "sqs:ReceiveMessage",
      "sqs:SendMessage",
    ]
    resources = flatten([for queue in var.queues : [queue.arn, queue.dlq_arn]])
  }

  statement {
    sid       = "LogIn"
    actions   = ["rds-db:connect"]
    resources = [var.database.connect_arn]
  }

  dynamic "statement" {
    for_each = var.platform.trace_sampling > 0 ? [1] : []

    content {
      sid     = "Trace"
      actions = ["xray:PutTraceSegments"]
      # This action knows no resource.
      resources = ["*"]
    }
  }

  dynamic "statement" {
    for_each = var.platform.debug ? [1] : []

    content {
      sid = "Shell"
      actions = [
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
      ]
      # These actions know no resources.
      resources = ["*"]
    }
  }
}

resource "aws_iam_role_policy" "task" {
  name   = "task"
  role   = module.roles.task.name
  policy = data.aws_iam_policy_document.task.json
}

data "aws_iam_policy_document" "infrastructure_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.platform.account_id]
    }
  }
}

resource "aws_iam_role" "infrastructure" {
  count = local.canary ? 1 : 0

  name                 = "${local.full_name}-infrastructure"
  description          = "What ECS does to the load balancer while it deploys ${var.service}."
  assume_role_policy   = data.aws_iam_policy_document.infrastructure_trust.json
  permissions_boundary = var.platform.permissions_boundary
}

# AWS's own policy for exactly this: it follows what ECS needs.
resource "aws_iam_role_policy_attachment" "infrastructure" {
  count = local.canary ? 1 : 0

  role       = aws_iam_role.infrastructure[0].name
  policy_arn = "arn:aws:iam::aws:policy/AmazonECSInfrastructureRolePolicyForLoadBalancers"
}
