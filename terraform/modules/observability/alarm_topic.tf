# Where everything that needs somebody's eyes arrives.

resource "aws_sns_topic" "alarms" {
  name              = "${var.name}-alarms"
  kms_master_key_id = aws_kms_key.alarms.arn
}

resource "aws_sns_topic_policy" "alarms" {
  arn    = aws_sns_topic.alarms.arn
  policy = data.aws_iam_policy_document.alarms.json
}

locals {
  tellers = ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"]
}

data "aws_iam_policy_document" "alarms" {
  statement {
    sid       = "Tell"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alarms.arn]

    principals {
      type        = "Service"
      identifiers = local.tellers
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }
  }

  statement {
    sid       = "EncryptedOnly"
    effect    = "Deny"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alarms.arn]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

# A key of our own, because AWS's own for SNS does not admit CloudWatch: alarms would
# vanish without a word.
resource "aws_kms_key" "alarms" {
  description             = "Alarms of ${var.name} on their way."
  enable_key_rotation     = true
  deletion_window_in_days = 7
  policy                  = data.aws_iam_policy_document.key.json
}

resource "aws_kms_alias" "alarms" {
  name          = "alias/${var.name}-alarms"
  target_key_id = aws_kms_key.alarms.key_id
}

data "aws_iam_policy_document" "key" {
  #checkov:skip=CKV_AWS_109: A key's policy is about this key alone, and leaves it to the account's roles.
  #checkov:skip=CKV_AWS_111: The same.
  #checkov:skip=CKV_AWS_356: The same.
  # Without it nobody could change the key any more. In a key's policy the star is the
  # key itself.
  statement {
    sid       = "Administer"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${var.account_id}:root"]
    }
  }

  statement {
    sid = "Tell"
    actions = [
      "kms:Decrypt",
      "kms:GenerateDataKey*",
    ]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = local.tellers
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }
  }
}

resource "aws_sns_topic_subscription" "email" {
  count = var.email == null ? 0 : 1

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.email
}

locals {
  own_alarm_names = {
    for name, alarm in var.own_alarms : alarm.service => aws_cloudwatch_metric_alarm.own[name].alarm_name...
  }
}

# One for each part of the whole: is it well? They tell nobody, as the alarms in them do.
resource "aws_cloudwatch_composite_alarm" "system" {
  for_each = var.systems

  alarm_name        = "${var.name}-${each.key}"
  alarm_description = "Something is wrong with ${each.key}: the alarms in this one say what."
  alarm_rule = join(" OR ", [
    for name in sort(concat(each.value, lookup(local.own_alarm_names, each.key, []))) : "ALARM(\"${name}\")"
  ])
}
