# Only the topic sends here; the services themselves are allowed by their roles.

locals {
  listens = var.hears != null

  both = {
    main         = aws_sqs_queue.main
    dead_letters = aws_sqs_queue.dead_letters
  }
}

data "aws_iam_policy_document" "queue" {
  for_each = local.both

  dynamic "statement" {
    for_each = local.listens ? [var.hears.arn] : []

    content {
      sid       = "FromTopic"
      actions   = ["sqs:SendMessage"]
      resources = [each.value.arn]

      principals {
        type        = "Service"
        identifiers = ["sns.amazonaws.com"]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = [statement.value]
      }
    }
  }

  # Whoever it is, and whatever it is about: messages travel encrypted.
  statement {
    sid       = "EncryptedOnly"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [each.value.arn]

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

resource "aws_sqs_queue_policy" "main" {
  queue_url = aws_sqs_queue.main.url
  policy    = data.aws_iam_policy_document.queue["main"].json
}

resource "aws_sqs_queue_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.url
  policy    = data.aws_iam_policy_document.queue["dead_letters"].json
}
