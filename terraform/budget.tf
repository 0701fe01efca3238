# Told before the month is over, and not by the bill.

locals {
  budget_notifications = {
    forecast = {
      type    = "FORECASTED"
      percent = var.budget_percent.forecast
    }
    actual = {
      type    = "ACTUAL"
      percent = var.budget_percent.actual
    }
  }
}

resource "aws_budgets_budget" "monthly" {
  name         = local.name
  budget_type  = "COST"
  time_unit    = "MONTHLY"
  limit_amount = tostring(var.monthly_budget)
  limit_unit   = "USD"

  # A tag counts once it was activated for cost allocation: until then, all of the account.
  dynamic "cost_filter" {
    for_each = var.budget_by_tag ? [1] : []

    content {
      name   = "TagKeyValue"
      values = [format("user:app$%s", var.name)]
    }
  }

  dynamic "notification" {
    for_each = local.budget_notifications

    content {
      notification_type         = notification.value.type
      comparison_operator       = "GREATER_THAN"
      threshold                 = notification.value.percent
      threshold_type            = "PERCENTAGE"
      subscriber_sns_topic_arns = [module.observability.alarm_topic_arn]
    }
  }
}
