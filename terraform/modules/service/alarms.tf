# What somebody has to look at. The ones that speak of the version, and not of the load,
# send a deployment back.

locals {
  rollback_alarms = concat(
    ["errors", "slow", "unhealthy"],
    [for name in keys(var.queues) : "dead letters in ${name}"],
  )

  alarms = merge(
    {
      errors    = aws_cloudwatch_metric_alarm.errors
      slow      = aws_cloudwatch_metric_alarm.slow
      unhealthy = aws_cloudwatch_metric_alarm.unhealthy
      missing   = aws_cloudwatch_metric_alarm.missing
    },
    { for alarm in aws_cloudwatch_metric_alarm.full : "full" => alarm },
    { for name, alarm in aws_cloudwatch_metric_alarm.late : "late in ${name}" => alarm },
    { for name, alarm in aws_cloudwatch_metric_alarm.dead_letters : "dead letters in ${name}" => alarm },
  )

  # A canary's errors would drown among everybody's: the worse of the two groups counts.
  by_colour = {
    for colour, group in aws_lb_target_group.main : colour => {
      LoadBalancer = var.platform.load_balancer.arn_suffix
      TargetGroup  = group.arn_suffix
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "${local.full_name}-errors"
  alarm_description   = "More than 5 % of the requests to ${var.service} end in a 5xx."
  comparison_operator = "GreaterThanThreshold"
  threshold           = 5
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.platform.alarm_topic_arn]
  ok_actions          = [var.platform.alarm_topic_arn]

  dynamic "metric_query" {
    for_each = local.by_colour

    content {
      id = "requests_${metric_query.key}"

      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = "RequestCount"
        dimensions  = metric_query.value
        stat        = "Sum"
        period      = 60
      }
    }
  }

  dynamic "metric_query" {
    for_each = local.by_colour

    content {
      id = "errors_${metric_query.key}"

      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = "HTTPCode_Target_5XX_Count"
        dimensions  = metric_query.value
        stat        = "Sum"
        period      = 60
      }
    }
  }

  # A share of fewer than ten says nothing.
  metric_query {
    id    = "percent"
    label = "5xx, in percent of the requests"
    expression = "MAX([${join(", ", [
      for colour in keys(local.by_colour) :
      "IF(FILL(requests_${colour}, 0) >= 10, 100 * FILL(errors_${colour}, 0) / FILL(requests_${colour}, 1), 0)"
    ])}])"
    return_data = true
  }
}

resource "aws_cloudwatch_metric_alarm" "slow" {
  alarm_name          = "${local.full_name}-slow"
  alarm_description   = "One answer of ${var.service} in twenty takes longer than ${var.size.slow_after_s} s."
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.size.slow_after_s
  evaluation_periods  = 3
  datapoints_to_alarm = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.platform.alarm_topic_arn]
  ok_actions          = [var.platform.alarm_topic_arn]

  dynamic "metric_query" {
    for_each = local.by_colour

    content {
      id = "p95_${metric_query.key}"

      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = "TargetResponseTime"
        dimensions  = metric_query.value
        stat        = "p95"
        period      = 60
      }
    }
  }

  metric_query {
    id          = "p95"
    label       = "p95 of the answers, in seconds"
    expression  = "MAX([${join(", ", [for colour in keys(local.by_colour) : "FILL(p95_${colour}, 0)"])}])"
    return_data = true
  }
}

resource "aws_cloudwatch_metric_alarm" "unhealthy" {
  alarm_name          = "${local.full_name}-unhealthy"
  alarm_description   = "A task of ${var.service} does not answer that it is alive."
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 3
  datapoints_to_alarm = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.platform.alarm_topic_arn]
  ok_actions          = [var.platform.alarm_topic_arn]

  dynamic "metric_query" {
    for_each = local.by_colour

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = "UnHealthyHostCount"
        dimensions  = metric_query.value
        stat        = "Maximum"
        period      = 60
      }
    }
  }

  metric_query {
    id          = "unhealthy"
    label       = "Tasks that do not answer"
    expression  = join(" + ", [for colour in keys(local.by_colour) : "FILL(${colour}, 0)"])
    return_data = true
  }
}

resource "aws_cloudwatch_metric_alarm" "missing" {
  alarm_name          = "${local.full_name}-missing"
  alarm_description   = "Fewer than ${var.size.tasks.min} tasks of ${var.service} run: they die, or cannot be started."
  comparison_operator = "LessThanThreshold"
  threshold           = var.size.tasks.min
  namespace           = local.tasks_metric.namespace
  metric_name         = local.tasks_metric.metric_name
  dimensions          = local.tasks_metric.dimensions
  statistic           = local.tasks_metric.stat
  period              = 60
  evaluation_periods  = 10
  datapoints_to_alarm = 10
  treat_missing_data  = "breaching"
  alarm_actions       = [var.platform.alarm_topic_arn]
  ok_actions          = [var.platform.alarm_topic_arn]
}

# With a fixed number of tasks it would always ring; a canary runs twice as many while
# it lasts.
resource "aws_cloudwatch_metric_alarm" "full" {
  count = var.size.tasks.max > var.size.tasks.min ? 1 : 0

  alarm_name          = "${local.full_name}-full"
  alarm_description   = "All ${var.size.tasks.max} tasks that ${var.service} may have run: what comes now waits. Allow more."
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.size.tasks.max
  namespace           = local.tasks_metric.namespace
  metric_name         = local.tasks_metric.metric_name
  dimensions          = local.tasks_metric.dimensions
  statistic           = local.tasks_metric.stat
  period              = 60
  evaluation_periods  = 15 + 2 * var.platform.deployment.bake_minutes
  datapoints_to_alarm = 15 + 2 * var.platform.deployment.bake_minutes
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.platform.alarm_topic_arn]
  ok_actions          = [var.platform.alarm_topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "late" {
  for_each = var.queues

  alarm_name          = "${local.full_name}-late-${each.key}"
  alarm_description   = "Messages in ${each.value.name} wait longer than ${each.value.age_target_s} s for ${var.service}."
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.age_target_s
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = each.value.name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = 5
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.platform.alarm_topic_arn]
  ok_actions          = [var.platform.alarm_topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  for_each = var.queues

  alarm_name          = "${local.full_name}-dead-letters-${each.key}"
  alarm_description   = "${var.service} put a message of ${each.value.name} aside: see /v1/${var.service}/ops/dead-letters."
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = each.value.dlq_name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  datapoints_to_alarm = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.platform.alarm_topic_arn]
  ok_actions          = [var.platform.alarm_topic_arn]
}
