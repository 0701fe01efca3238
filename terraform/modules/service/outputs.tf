output "service_name" {
  description = "Of the ECS service, in metrics and on the command line."
  value       = aws_ecs_service.main.name
}

output "security_group_id" {
  description = "Of the tasks."
  value       = aws_security_group.tasks.id
}

output "task_role_arn" {
  description = "What the service may do in AWS."
  value       = module.roles.task.arn
}

output "task_role_name" {
  description = "For policies of others who want the service to do more."
  value       = module.roles.task.name
}

output "execution_role_arn" {
  description = "What ECS may do to start a task. Whoever deploys has to pass it on, and the task's."
  value       = module.roles.execution.arn
}

output "execution_may" {
  description = "What ECS's role allows, by what it is for."
  value       = module.roles.execution_may
}

output "infrastructure_role_arn" {
  description = "What ECS turns the listener's weights with; null without a canary."
  value       = one(aws_iam_role.infrastructure[*].arn)
}

output "log_group_name" {
  description = "Where its lines are."
  value       = aws_cloudwatch_log_group.main.name
}

output "target_group_suffixes" {
  description = "For metrics: a deployment moves from one of the two to the other, so that only both together are the service."
  value       = [for group in aws_lb_target_group.main : group.arn_suffix]
}

output "alarm_arns" {
  description = "By what each alarm says, for composites and dashboards."
  value       = { for name, alarm in local.alarms : name => alarm.arn }
}

output "alarm_names" {
  description = "By what each alarm says."
  value       = { for name, alarm in local.alarms : name => alarm.alarm_name }
}
