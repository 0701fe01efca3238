output "state_bucket" {
  description = "Where the stack's state belongs: terraform init -backend-config=bucket=…"
  value       = aws_s3_bucket.state.bucket
}

output "permissions_boundary" {
  description = "The stack's variable permissions_boundary."
  value       = aws_iam_policy.boundary.arn
}

output "github_variables" {
  description = "What GitHub has to know: the deployment's go to the environment, the plan's to the repository."
  value = {
    environment = {
      AWS_REGION           = var.region
      AWS_ROLE             = one(aws_iam_role.deploy[*].arn)
      STATE_BUCKET         = aws_s3_bucket.state.bucket
      PERMISSIONS_BOUNDARY = aws_iam_policy.boundary.arn
    }
    repository = {
      (upper("${var.environment}_plan_role")) = one(aws_iam_role.plan[*].arn)
    }
  }
}
