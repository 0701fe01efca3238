# What only the services know. Where nothing happens they tell nothing: that is well.

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
  evaluation_periods  = 1
  datapoints_to_alarm = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}
