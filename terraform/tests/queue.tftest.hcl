# One queue: what it is, who may send to it, and where what fails goes.

mock_provider "aws" {
  override_during = plan

  mock_resource "aws_sqs_queue" {
    defaults = {
      arn = "arn:aws:sqs:us-east-1:123456789012:queue"
      url = "https://sqs.us-east-1.amazonaws.com/123456789012/queue"
    }
  }

  mock_data "aws_iam_policy_document" {
    defaults = {
      json = "{}"
    }
  }

  override_resource {
    target = aws_sqs_queue.dead_letters
    values = {
      arn = "arn:aws:sqs:us-east-1:123456789012:queue-dlq"
      url = "https://sqs.us-east-1.amazonaws.com/123456789012/queue-dlq"
    }
  }
}

variables {
  name                    = "queue"
  dead_letter_name        = "queue-dlq"
  hears                   = { arn = "arn:aws:sns:us-east-1:123456789012:topic" }
  visibility_timeout_s    = 15
  retention_s             = 345600
  dead_letter_retention_s = 1209600
  max_receive_count       = 50
}

run "a_queue_that_hears_a_topic" {
  command = plan

  module {
    source = "./modules/queue"
  }

  assert {
    condition     = aws_sqs_queue.main.name == "queue" && aws_sqs_queue.dead_letters.name == "queue-dlq"
    error_message = "Services look both up by these names."
  }

  assert {
    condition     = aws_sqs_queue.main.sqs_managed_sse_enabled && aws_sqs_queue.dead_letters.sqs_managed_sse_enabled
    error_message = "Messages are encrypted where they lie, dead letters too."
  }

  assert {
    condition     = aws_sqs_queue.main.visibility_timeout_seconds == 15 && aws_sqs_queue.main.message_retention_seconds == 345600 && aws_sqs_queue.dead_letters.message_retention_seconds == 1209600
    error_message = "Times are those of the topology."
  }

  assert {
    condition = jsondecode(aws_sqs_queue.main.redrive_policy) == {
      deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
      maxReceiveCount     = 50
    }
    error_message = "What kills the process is put aside after fifty times."
  }

  assert {
    condition = jsondecode(aws_sqs_queue_redrive_allow_policy.dead_letters.redrive_allow_policy) == {
      redrivePermission = "byQueue"
      sourceQueueArns   = [aws_sqs_queue.main.arn]
    } && aws_sqs_queue_redrive_allow_policy.dead_letters.queue_url == aws_sqs_queue.dead_letters.url
    error_message = "No other queue's dead letters come here."
  }

  assert {
    condition     = one(aws_sns_topic_subscription.main).topic_arn == var.hears.arn && one(aws_sns_topic_subscription.main).endpoint == aws_sqs_queue.main.arn && one(aws_sns_topic_subscription.main).protocol == "sqs"
    error_message = "It hears its topic."
  }

  assert {
    condition     = one(aws_sns_topic_subscription.main).raw_message_delivery && one(aws_sns_topic_subscription.main).filter_policy == null
    error_message = "Bundles come as they were sent, and all of them."
  }

  assert {
    condition     = jsondecode(one(aws_sns_topic_subscription.main).redrive_policy).deadLetterTargetArn == aws_sqs_queue.dead_letters.arn
    error_message = "What SNS cannot deliver is kept."
  }

  assert {
    condition     = aws_sqs_queue_policy.main.queue_url == aws_sqs_queue.main.url && aws_sqs_queue_policy.dead_letters.queue_url == aws_sqs_queue.dead_letters.url
    error_message = "Both have a policy."
  }

  assert {
    condition = alltrue([
      for key, queue in { main = aws_sqs_queue.main.arn, dead_letters = aws_sqs_queue.dead_letters.arn } : anytrue([
        for statement in data.aws_iam_policy_document.queue[key].statement :
        statement.sid == "FromTopic" && statement.effect != "Deny" && statement.actions == toset(["sqs:SendMessage"]) && statement.resources == toset([queue])
        && one(statement.principals).type == "Service" && one(statement.principals).identifiers == toset(["sns.amazonaws.com"])
        && one(statement.condition).test == "ArnEquals" && one(statement.condition).variable == "aws:SourceArn" && one(statement.condition).values == tolist([var.hears.arn])
      ])
    ])
    error_message = "SNS may send, for this topic alone: messages, and what could not be delivered."
  }

  assert {
    condition = alltrue([
      for key in ["main", "dead_letters"] : anytrue([
        for statement in data.aws_iam_policy_document.queue[key].statement :
        statement.effect == "Deny" && statement.actions == toset(["sqs:*"]) && one(statement.condition).variable == "aws:SecureTransport" && one(statement.condition).values == tolist(["false"])
      ])
    ])
    error_message = "Nobody may do anything unencrypted."
  }

  assert {
    condition     = alltrue([for key in ["main", "dead_letters"] : length(data.aws_iam_policy_document.queue[key].statement) == 2])
    error_message = "Nobody else is allowed anything."
  }
}

run "a_queue_that_its_own_service_writes_to" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    hears = null
  }

  assert {
    condition     = length(aws_sns_topic_subscription.main) == 0
    error_message = "It hears nobody."
  }

  assert {
    condition = alltrue([
      for key in ["main", "dead_letters"] :
      one(data.aws_iam_policy_document.queue[key].statement).effect == "Deny"
    ])
    error_message = "No policy of the queue's own lets anybody send."
  }
}

run "dead_letters_must_outlive_their_queue" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    dead_letter_retention_s = 345600
  }

  expect_failures = [var.dead_letter_retention_s]
}
