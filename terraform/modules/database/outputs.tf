output "services" {
  description = "Each service's own database. reader_host: null without a reader. connect_arn: what a role may rds-db:connect to."
  value = {
    for service in var.services : service => {
      host        = aws_rds_cluster.main.endpoint
      reader_host = var.readers > 0 ? aws_rds_cluster.main.reader_endpoint : null
      port        = aws_rds_cluster.main.port
      name        = service
      role        = service
      connect_arn = "arn:aws:rds-db:${var.region}:${var.account_id}:dbuser:${aws_rds_cluster.main.cluster_resource_id}/${service}"
    }
  }
  # A host without an instance behind it answers nobody.
  depends_on = [aws_rds_cluster_instance.main]
}

output "security_group_id" {
  description = "For the rules that let tasks in."
  value       = aws_security_group.main.id
}

output "cluster_identifier" {
  description = "Of the cluster, in metrics and on the command line."
  value       = aws_rds_cluster.main.cluster_identifier
}

output "master_secret_arn" {
  description = "Where the master's login is, for `migrate` alone."
  value       = aws_rds_cluster.main.master_user_secret[0].secret_arn
}

output "alarm_names" {
  description = "By what each alarm says."
  value       = { for key, alarm in aws_cloudwatch_metric_alarm.main : key => alarm.alarm_name }
}
