# Topics and queues are those of contracts/topology.json, no more and no fewer. What each
# queue is like is tested in queue.tftest.hcl.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = {
      json = "{}"
    }
  }

  mock_data "aws_availability_zones" {
    defaults = {
      names = ["us-east-1a", "us-east-1b", "us-east-1c"]
    }
  }
}

variables {
  build_images = false
  image_tag    = "1"
}

run "the_topology" {
  command = plan

  assert {
    condition     = toset([for topic in aws_sns_topic.events : topic.name]) == toset(local.topology.topics)
    error_message = "Services publish to these names."
  }

  assert {
    condition     = alltrue([for topic in aws_sns_topic.events : topic.kms_master_key_id == "alias/aws/sns"])
    error_message = "What is announced is encrypted on its way."
  }

  assert {
    condition = keys(aws_sns_topic_policy.events) == keys(aws_sns_topic.events) && alltrue([
      for name in local.topology.topics : anytrue([
        for statement in data.aws_iam_policy_document.topic[name].statement :
        statement.effect == "Deny" && one(statement.condition).variable == "aws:SecureTransport"
      ])
    ])
    error_message = "Nobody publishes unencrypted."
  }

  assert {
    condition = {
      for name, queue in module.queues : name => "${queue.name} ${queue.dlq_name}"
      } == {
      for queue in local.topology.queues : queue.name => "${queue.name} ${queue.dead_letters}"
    }
    error_message = "Services listen to these names."
  }

  assert {
    condition = {
      for owner, queues in local.queues : owner => join(" ", keys(queues))
      } == {
      orders     = "orderly-orders-from-accounting orderly-orders-from-inventory orderly-orders-intake"
      inventory  = "orderly-inventory-from-orders"
      accounting = "orderly-accounting-from-inventory orderly-accounting-from-orders"
    }
    error_message = "Each service gets its own queues."
  }

  assert {
    condition     = { for service, topic in local.topics : service => topic.name } == { orders = "orderly-orders", inventory = "orderly-inventory", accounting = "orderly-accounting" }
    error_message = "Each service gets its own topic."
  }

  assert {
    condition     = alltrue(flatten([for queues in local.queues : [for queue in queues : queue.age_target_s == 60]]))
    error_message = "A message is old after a minute."
  }
}
