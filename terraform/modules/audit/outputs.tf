output "log_group_name" {
  description = "Where its tables are."
  value       = aws_cloudwatch_log_group.main.name
}

output "alarm_names" {
  description = "Its alarms."
  value = {
    disagree = aws_cloudwatch_metric_alarm.disagree.alarm_name
    silent   = aws_cloudwatch_metric_alarm.silent.alarm_name
  }
}
