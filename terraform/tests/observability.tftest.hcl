# Who is told, what is seen, and which requests leave a trace.

mock_provider "aws" {
  override_during = plan

  mock_resource "aws_kms_key" {
    defaults = {
      arn    = "arn:aws:kms:us-east-1:123456789012:key/1"
      key_id = "1"
    }
  }

  mock_resource "aws_sns_topic" {
    defaults = {
      arn = "arn:aws:sns:us-east-1:123456789012:orderly-dev-alarms"
    }
  }

  mock_resource "aws_cloudwatch_composite_alarm" {
    defaults = {
      arn = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:orderly-dev-orders"
    }
  }

  mock_data "aws_iam_policy_document" {
    defaults = {
      json = "{}"
    }
  }
}

variables {
  name                     = "orderly-dev"
  region                   = "us-east-1"
  account_id               = "123456789012"
  email                    = "ops@example.com"
  trace_sampling           = 0.05
  cluster_name             = "orderly-dev"
  load_balancer_arn_suffix = "app/orderly-dev/1"
  database                 = "orderly-dev"
  database_max_capacity    = 4
  services = {
    orders = {
      service_name          = "orderly-dev-orders"
      target_group_suffixes = ["targetgroup/blue/1", "targetgroup/green/2"]
      queues                = [{ name = "orderly-orders-intake", dead_letter = "orderly-orders-intake-dlq" }]
    }
  }
  systems = {
    orders   = ["orderly-dev-orders-errors", "orderly-dev-orders-slow"]
    database = ["orderly-dev-database-full"]
  }
}

run "what_is_told_and_seen" {
  command = plan

  module {
    source = "./modules/observability"
  }

  assert {
    condition     = aws_sns_topic.alarms.kms_master_key_id == aws_kms_key.alarms.arn && aws_kms_key.alarms.enable_key_rotation
    error_message = "Alarms travel under a key of our own, as CloudWatch may not use AWS's."
  }

  assert {
    condition = anytrue([
      for statement in data.aws_iam_policy_document.key.statement :
      statement.actions == toset(["kms:Decrypt", "kms:GenerateDataKey*"]) && one(statement.principals).identifiers == toset(["budgets.amazonaws.com", "cloudwatch.amazonaws.com"]) && one(statement.condition).values == tolist(["123456789012"])
      if statement.sid == "Tell"
    ])
    error_message = "CloudWatch and Budgets may use the key, for this account."
  }

  assert {
    condition     = length(data.aws_iam_policy_document.key.statement) == 2 && length(data.aws_iam_policy_document.alarms.statement) == 2
    error_message = "Nobody else may."
  }

  assert {
    condition = anytrue([
      for statement in data.aws_iam_policy_document.alarms.statement :
      statement.actions == toset(["sns:Publish"]) && one(statement.principals).identifiers == toset(["budgets.amazonaws.com", "cloudwatch.amazonaws.com"]) && one(statement.condition).variable == "aws:SourceAccount" && one(statement.condition).values == tolist(["123456789012"])
      if statement.sid == "Tell"
    ])
    error_message = "CloudWatch and Budgets may publish, for this account."
  }

  assert {
    condition     = aws_sns_topic_policy.alarms.arn == aws_sns_topic.alarms.arn
    error_message = "The topic has that policy."
  }

  assert {
    condition     = one(aws_sns_topic_subscription.email).endpoint == "ops@example.com" && one(aws_sns_topic_subscription.email).protocol == "email" && one(aws_sns_topic_subscription.email).topic_arn == aws_sns_topic.alarms.arn
    error_message = "Somebody is told."
  }

  assert {
    condition     = aws_cloudwatch_composite_alarm.system["orders"].alarm_rule == "ALARM(\"orderly-dev-orders-errors\") OR ALARM(\"orderly-dev-orders-slow\")" && aws_cloudwatch_composite_alarm.system["database"].alarm_rule == "ALARM(\"orderly-dev-database-full\")"
    error_message = "A part is not well when any of its alarms rings."
  }

  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.main.dashboard_body).widgets) == 1 + 4 + 4
    error_message = "The page shows the parts, each service and the database."
  }

  assert {
    condition = alltrue([
      for metric in [
        "RequestCount", "HTTPCode_Target_5XX_Count", "TargetResponseTime", "ApproximateAgeOfOldestMessage",
        "ApproximateNumberOfMessagesVisible", "CPUUtilization", "MemoryUtilization",
        "ServerlessDatabaseCapacity", "DatabaseConnections", "CommitLatency", "VolumeReadIOPs", "VolumeWriteIOPs",
        "targetgroup/blue/1", "targetgroup/green/2", "orderly-orders-intake-dlq",
      ] : strcontains(aws_cloudwatch_dashboard.main.dashboard_body, "\"${metric}\"")
    ])
    error_message = "The page shows what matters, of both colours."
  }

  assert {
    condition = length(distinct([
      for widget in jsondecode(aws_cloudwatch_dashboard.main.dashboard_body).widgets : "${widget.x} ${widget.y}"
    ])) == 9
    error_message = "No chart hides another."
  }

  assert {
    condition     = one(aws_xray_trace_segment_destination.spans).destination == "CloudWatchLogs" && one(aws_cloudwatch_log_resource_policy.spans).policy_document == data.aws_iam_policy_document.spans.json
    error_message = "X-Ray takes spans, and may keep them."
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.spans.statement :
      one(statement.principals).identifiers == toset(["xray.amazonaws.com"]) && contains(statement.resources, "arn:aws:logs:us-east-1:123456789012:log-group:aws/spans:*") && length(statement.condition) == 2
    ])
    error_message = "Only X-Ray may, and for this account."
  }
}

run "nobody_to_tell_no_traces_and_metrics_of_our_own" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    email          = null
    trace_sampling = 0
    own_metrics    = [{ title = "Orders placed", metrics = ["orderly.orders.placed"], stat = "Sum", services = ["orders"] }]
    own_alarms     = { orders-refused = { service = "orders", metric = "orderly.orders.refused", stat = "Sum", says = "Look." } }
  }

  assert {
    condition     = length(aws_sns_topic_subscription.email) == 0
    error_message = "Nobody is told."
  }

  assert {
    condition     = contains(jsondecode(aws_cloudwatch_dashboard.main.dashboard_body).widgets[9].properties.metrics, ["Orderly", "orderly.orders.placed", "service", "orders"])
    error_message = "Our own metrics join the page."
  }

  assert {
    condition     = one(values(aws_cloudwatch_metric_alarm.own)).metric_name == "orderly.orders.refused" && one(values(aws_cloudwatch_metric_alarm.own)).dimensions == tomap({ service = "orders" }) && one(values(aws_cloudwatch_metric_alarm.own)).alarm_actions == toset([aws_sns_topic.alarms.arn])
    error_message = "Somebody is told what only the services know."
  }

  assert {
    condition     = strcontains(aws_cloudwatch_composite_alarm.system["orders"].alarm_rule, "ALARM(\"orderly-dev-orders-refused\")") && !strcontains(aws_cloudwatch_composite_alarm.system["database"].alarm_rule, "refused")
    error_message = "A service is not well when an alarm of its own rings."
  }

  assert {
    condition     = length(aws_xray_trace_segment_destination.spans) == 0 && length(aws_cloudwatch_log_resource_policy.spans) == 0
    error_message = "Without traces the account's X-Ray stays as it is."
  }
}

run "a_part_without_alarms" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    systems = { orders = [] }
  }

  expect_failures = [var.systems]
}
