output "task" {
  description = "The role of the tasks themselves."
  value       = { arn = aws_iam_role.task.arn, name = aws_iam_role.task.name }
}

output "execution" {
  description = "ECS's role."
  value       = { arn = aws_iam_role.execution.arn }
}

output "execution_may" {
  description = "What ECS's role allows, by what it is for."
  value = {
    for statement in data.aws_iam_policy_document.execution.statement :
    statement.sid => { actions = statement.actions, resources = statement.resources }
  }
}
