# Somebody hears of it when the services disagree; and when nobody has said for so long
# that they agree, whatever the reason: not started, killed, without an answer. Both by
# what the audit itself says at its end; a test holds these words to the command's.

locals {
  verdicts = {
    agree    = "The three services agree"
    disagree = "The three services do not agree"
  }
}

resource "aws_cloudwatch_log_metric_filter" "verdict" {
  for_each = local.verdicts

  name           = each.key
  log_group_name = aws_cloudwatch_log_group.main.name
  pattern        = "\"${each.value}\""

  metric_transformation {
    namespace = "${var.platform.name}/audit"
    name      = each.key
    value     = "1"
  }
}

resource "aws_cloudwatch_metric_alarm" "disagree" {
  alarm_name          = "${local.full_name}-disagree"
  alarm_description   = "The services tell different stories: the table is in ${aws_cloudwatch_log_group.main.name}."
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  namespace           = "${var.platform.name}/audit"
  metric_name         = aws_cloudwatch_log_metric_filter.verdict["disagree"].name
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.platform.alarm_topic_arn]
  ok_actions          = [var.platform.alarm_topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "silent" {
  alarm_name          = "${local.full_name}-silent"
  alarm_description   = "No audit has found for ${var.silent_hours} hours that the services agree: see ${aws_cloudwatch_log_group.main.name}, and the schedule ${local.full_name}."
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  namespace           = "${var.platform.name}/audit"
  metric_name         = aws_cloudwatch_log_metric_filter.verdict["agree"].name
  statistic           = "Sum"
  period              = 3600
  evaluation_periods  = var.silent_hours
  treat_missing_data  = "breaching"
  alarm_actions       = [var.platform.alarm_topic_arn]
  ok_actions          = [var.platform.alarm_topic_arn]
}
