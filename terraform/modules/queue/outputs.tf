output "arn" {
  description = "Of the queue."
  value       = aws_sqs_queue.main.arn
}

output "url" {
  description = "Of the queue."
  value       = aws_sqs_queue.main.url
}

output "name" {
  description = "Of the queue."
  value       = aws_sqs_queue.main.name
}

output "dlq_arn" {
  description = "Of the dead letters."
  value       = aws_sqs_queue.dead_letters.arn
}

output "dlq_name" {
  description = "Of the dead letters."
  value       = aws_sqs_queue.dead_letters.name
}
