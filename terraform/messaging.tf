# Who announces, and who listens: contracts/topology.json is written from
# contracts/topology.py by `make fmt`, and `make check` fails when the two differ.

locals {
  topology = jsondecode(file("${path.module}/contracts/topology.json"))

  topics = {
    for topic in aws_sns_topic.events : trimprefix(topic.name, "orderly-") => {
      arn  = topic.arn
      name = topic.name
    }
  }

  queues = {
    for owner in distinct(local.topology.queues[*].owner) : owner => {
      for queue in local.topology.queues : queue.name => merge(module.queues[queue.name], {
        age_target_s = var.messages_wait_at_most_s
      }) if queue.owner == owner
    }
  }
}

resource "aws_sns_topic" "events" {
  for_each = toset(local.topology.topics)

  name = each.key
  # AWS's own key is enough: whoever may publish here in this account may use it.
  kms_master_key_id = "alias/aws/sns"
}

data "aws_iam_policy_document" "topic" {
  for_each = aws_sns_topic.events

  # Whoever it is, and whatever else allows it: events travel encrypted.
  statement {
    sid       = "EncryptedOnly"
    effect    = "Deny"
    actions   = ["sns:Publish"]
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

resource "aws_sns_topic_policy" "events" {
  for_each = aws_sns_topic.events

  arn    = each.value.arn
  policy = data.aws_iam_policy_document.topic[each.key].json
}

module "queues" {
  source   = "./modules/queue"
  for_each = { for queue in local.topology.queues : queue.name => queue }

  name                    = each.key
  dead_letter_name        = each.value.dead_letters
  hears                   = each.value.hears == null ? null : { arn = aws_sns_topic.events[each.value.hears].arn }
  visibility_timeout_s    = each.value.visibility_timeout_s
  retention_s             = each.value.retention_s
  dead_letter_retention_s = each.value.dead_letter_retention_s
  max_receive_count       = each.value.max_receive_count
}
