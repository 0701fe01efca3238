# The roles that every task has, whatever it does.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = {
      json = "{}"
    }
  }
}

variables {
  name = "orderly-dev-orders"
  what = "orders"
  platform = {
    region               = "us-east-1"
    account_id           = "123456789012"
    permissions_boundary = "arn:aws:iam::123456789012:policy/boundary"
  }
  log_group_arn  = "arn:aws:logs:us-east-1:123456789012:log-group:orders"
  repository_arn = "arn:aws:ecr:us-east-1:123456789012:repository/orderly-dev/orders"
  secret_arns    = ["arn:aws:secretsmanager:us-east-1:123456789012:secret:gateway"]
}

run "only_tasks_of_this_account_take_them" {
  module {
    source = "./modules/task_roles"
  }

  assert {
    condition = (
      one(one(data.aws_iam_policy_document.trust.statement).principals).identifiers == toset(["ecs-tasks.amazonaws.com"]) &&
      { for condition in one(data.aws_iam_policy_document.trust.statement).condition : condition.variable => condition.values } == {
        "aws:SourceAccount" = tolist(["123456789012"])
        "aws:SourceArn"     = tolist(["arn:aws:ecs:us-east-1:123456789012:*"])
      }
    )
    error_message = "Only tasks of this account take the roles."
  }
}

run "they_get_no_further_than_they_should" {
  module {
    source = "./modules/task_roles"
  }

  assert {
    condition = alltrue([
      for role in [aws_iam_role.task, aws_iam_role.execution] :
      role.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"
    ])
    error_message = "Roles stay within the boundary."
  }

  assert {
    condition     = alltrue([for statement in data.aws_iam_policy_document.execution.statement : coalesce(statement.effect, "Allow") == "Allow" && statement.not_actions == null && statement.not_resources == null])
    error_message = "Nothing is allowed by naming what is not."
  }

  assert {
    condition     = aws_iam_role_policy.execution.role == aws_iam_role.execution.id && aws_iam_role.execution.name == "orderly-dev-orders-execution"
    error_message = "ECS's permissions are ECS's."
  }

  assert {
    condition     = toset([for sid, statement in output.execution_may : sid if contains(statement.resources, "*")]) == toset(["LogInToRegistry"])
    error_message = "Only logging in to the registry is not about one resource."
  }
}
