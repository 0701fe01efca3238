# The most that a role of the stack can be given by a deployment: what tasks, ECS and the
# database do for a living. Widening it takes somebody who may apply this configuration.

locals {
  roles = "arn:${data.aws_partition.current.partition}:iam::${local.account}:role/${var.name}-*"
}

resource "aws_iam_policy" "boundary" {
  name        = "${local.name}-boundary"
  path        = local.path
  description = "The most that a role of ${local.name} may do"
  policy      = data.aws_iam_policy_document.boundary.json
}

data "aws_iam_policy_document" "boundary" {
  statement {
    sid = "Messages"
    actions = [
      "sns:GetTopicAttributes",
      "sns:Publish",
      "sqs:ChangeMessageVisibility",
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
      "sqs:GetQueueUrl",
      "sqs:ReceiveMessage",
      "sqs:SendMessage",
    ]
    # Topics and queues have the names of contracts/topology.py, whatever the stack is called.
    resources = [
      for service in ["sns", "sqs"] :
      "arn:${data.aws_partition.current.partition}:${service}:${var.region}:${local.account}:orderly-*"
    ]
  }

  statement {
    sid       = "Database"
    actions   = ["rds-db:connect"]
    resources = ["arn:${data.aws_partition.current.partition}:rds-db:${var.region}:${local.account}:dbuser:*/*"]
  }

  # The database's master password, to which RDS gives the name, and the stack's own.
  statement {
    sid     = "Secrets"
    actions = ["secretsmanager:GetSecretValue"]
    resources = [
      for name in ["rds!*", "${local.name}/*"] :
      "arn:${data.aws_partition.current.partition}:secretsmanager:${var.region}:${local.account}:secret:${name}"
    ]
  }

  # Where the audit is asked for, its schedule starts its task, as the task's own roles.
  statement {
    sid     = "Schedule"
    actions = ["ecs:RunTask", "ecs:TagResource"]
    resources = [
      for what in ["task-definition/${var.name}-*", "task/${var.name}-*"] :
      "arn:${data.aws_partition.current.partition}:ecs:${var.region}:${local.account}:${what}"
    ]
  }

  statement {
    sid       = "HandRolesToTasks"
    actions   = ["iam:PassRole"]
    resources = [local.roles]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }

  # No resource: these are the ones whose ARNs are made up at run time, or have none. They
  # read images, write logs, metrics and traces, turn the balancer, and use keys whose own
  # policies say for whom.
  statement {
    sid = "Operations"
    actions = [
      "cloudwatch:PutMetricData",
      "ecr:BatchCheckLayerAvailability",
      "ecr:BatchGetImage",
      "ecr:GetAuthorizationToken",
      "ecr:GetDownloadUrlForLayer",
      "elasticloadbalancing:DeregisterTargets",
      "elasticloadbalancing:Describe*",
      "elasticloadbalancing:ModifyListener",
      "elasticloadbalancing:ModifyRule",
      "elasticloadbalancing:RegisterTargets",
      "kms:Decrypt",
      "kms:GenerateDataKey",
      "logs:CreateLogStream",
      "logs:DescribeLogGroups",
      "logs:DescribeLogStreams",
      "logs:PutLogEvents",
      "ssmmessages:CreateControlChannel",
      "ssmmessages:CreateDataChannel",
      "ssmmessages:OpenControlChannel",
      "ssmmessages:OpenDataChannel",
      "xray:PutTraceSegments",
    ]
    resources = ["*"]
  }
}
