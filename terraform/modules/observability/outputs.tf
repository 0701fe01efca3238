output "alarm_topic_arn" {
  description = "Where alarms go."
  value       = aws_sns_topic.alarms.arn
  # Who is given it may publish at once.
  depends_on = [aws_sns_topic_policy.alarms]
}

output "dashboard_url" {
  description = "The page to look at first."
  value       = "https://${var.region}.console.aws.amazon.com/cloudwatch/home?region=${var.region}#dashboards/dashboard/${aws_cloudwatch_dashboard.main.dashboard_name}"
}

output "system_alarms" {
  description = "Whether each part is well, by part."
  value       = { for system, alarm in aws_cloudwatch_composite_alarm.system : system => alarm.alarm_name }
}
