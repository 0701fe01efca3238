# What only the services know. What happens is told once: its alarm stays for an hour, to
# be seen by whoever comes later, and no news is good news. What stands is told every
# minute until it is mended: when nobody tells anything, it is as it was.

locals {
  of_own_alarms = {
    Sum     = { minutes = 60, unknown = "notBreaching" }
    Maximum = { minutes = 1, unknown = "ignore" }
  }
}

resource "aws_cloudwatch_metric_alarm" "own" {
  for_each = var.own_alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.says
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  namespace           = var.metrics_namespace
  metric_name         = each.value.metric
  dimensions          = { service = each.value.service }
  statistic           = each.value.stat
  period              = 60
  evaluation_periods  = local.of_own_alarms[each.value.stat].minutes
  datapoints_to_alarm = 1
  treat_missing_data  = local.of_own_alarms[each.value.stat].unknown
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}
