output "state_bucket" {
  description = "Where the stack's state belongs: terraform init -backend-config=bucket=…"
  value       = aws_s3_bucket.state.bucket
}

output "permissions_boundary" {
  description = "The stack's variable permissions_boundary."
  value       = aws_iam_policy.boundary.arn
}

output "github_deploy" {
  description = "Variables of GitHub's environment of the same name."
  value = {
    AWS_REGION           = var.region
    AWS_ROLE             = one(aws_iam_role.deploy[*].arn)
    STATE_BUCKET         = aws_s3_bucket.state.bucket
    PERMISSIONS_BOUNDARY = aws_iam_policy.boundary.arn
  }
}

output "github_plan" {
  description = "This environment's part of the repository's variable PLAN, which is a JSON list."
  value = {
    environment          = var.environment
    region               = var.region
    role                 = one(aws_iam_role.plan[*].arn)
    state_bucket         = aws_s3_bucket.state.bucket
    permissions_boundary = aws_iam_policy.boundary.arn
  }
}
