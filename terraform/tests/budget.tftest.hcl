mock_provider "aws" {
  override_during = plan

  mock_resource "aws_sns_topic" {
    defaults = {
      arn = "arn:aws:sns:us-east-1:123456789012:orderly-dev-alarms"
    }
  }

  mock_data "aws_iam_policy_document" {
    defaults = {
      json = "{}"
    }
  }

  mock_resource "aws_kms_key" {
    defaults = {
      arn = "arn:aws:kms:us-east-1:123456789012:key/1"
    }
  }
}

run "the_account" {
  command = plan

  plan_options {
    target = [aws_budgets_budget.monthly]
  }

  assert {
    condition     = aws_budgets_budget.monthly.limit_amount == "100" && aws_budgets_budget.monthly.time_unit == "MONTHLY" && aws_budgets_budget.monthly.limit_unit == "USD"
    error_message = "A hundred dollars a month."
  }

  assert {
    condition = toset([
      for notification in aws_budgets_budget.monthly.notification : "${notification.notification_type} ${notification.threshold}"
    ]) == toset(["ACTUAL 80", "FORECASTED 100"])
    error_message = "Told when it will be too much, and when it nearly is."
  }

  assert {
    condition     = alltrue([for notification in aws_budgets_budget.monthly.notification : notification.subscriber_sns_topic_arns == toset(["arn:aws:sns:us-east-1:123456789012:orderly-dev-alarms"])])
    error_message = "It is told where alarms go."
  }

  assert {
    condition     = length(aws_budgets_budget.monthly.cost_filter) == 0
    error_message = "Without the tag all of the account counts."
  }
}

run "by_tag" {
  command = plan

  plan_options {
    target = [aws_budgets_budget.monthly]
  }

  variables {
    budget_by_tag = true
  }

  assert {
    condition     = one(aws_budgets_budget.monthly.cost_filter).name == "TagKeyValue" && one(aws_budgets_budget.monthly.cost_filter).values == tolist(["user:app$orderly"])
    error_message = "What carries the tag counts."
  }
}
