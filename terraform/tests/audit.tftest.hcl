# What asks every so often whether the services agree, and who hears when they do not.

mock_provider "aws" {
  override_during = plan

  mock_data "aws_iam_policy_document" {
    defaults = {
      json = "{}"
    }
  }

  mock_resource "aws_iam_role" {
    defaults = {
      arn = "arn:aws:iam::123456789012:role/mock"
    }
  }

  mock_resource "aws_ecs_task_definition" {
    defaults = {
      arn = "arn:aws:ecs:us-east-1:123456789012:task-definition/orderly-dev-audit:1"
    }
  }

  mock_resource "aws_secretsmanager_secret" {
    defaults = {
      arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:client"
    }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = {
      arn = "arn:aws:logs:us-east-1:123456789012:log-group:mock"
    }
  }
}

variables {
  platform = {
    name       = "orderly-dev"
    region     = "us-east-1"
    account_id = "123456789012"
    cluster = {
      arn  = "arn:aws:ecs:us-east-1:123456789012:cluster/orderly-dev"
      name = "orderly-dev"
    }
    network = {
      vpc_id     = "vpc-1"
      subnet_ids = ["subnet-1", "subnet-2"]
      public_ip  = false
    }
    cpu_architecture   = "ARM64"
    alarm_topic_arn    = "arn:aws:sns:us-east-1:123456789012:orderly-dev-alarms"
    log_retention_days = 30
  }
  image = {
    uri            = "123456789012.dkr.ecr.us-east-1.amazonaws.com/orderly@sha256:1"
    repository_arn = "arn:aws:ecr:us-east-1:123456789012:repository/orderly"
  }
  url = "https://d1.cloudfront.net"
  client = {
    id        = "client"
    secret    = "hush"
    token_url = "https://orderly.auth.us-east-1.amazoncognito.com/oauth2/token"
  }
  schedule = "rate(1 day)"
  protect  = false

  silent_hours = 26
}

run "the_audit" {
  command = plan

  module {
    source = "./modules/audit"
  }

  assert {
    condition     = one(jsondecode(aws_ecs_task_definition.main.container_definitions)).command[0] == "audit" && one(jsondecode(aws_ecs_task_definition.main.container_definitions)).readonlyRootFilesystem
    error_message = "It audits, and writes nothing."
  }

  assert {
    condition     = !strcontains(aws_ecs_task_definition.main.container_definitions, "hush")
    error_message = "The secret stands in the task definition, for everybody to read."
  }

  assert {
    condition     = aws_scheduler_schedule.main.schedule_expression == "rate(1 day)" && one(aws_scheduler_schedule.main.target).arn == var.platform.cluster.arn
    error_message = "Nothing starts it."
  }

  assert {
    condition = (
      toset([for statement in data.aws_iam_policy_document.scheduler.statement : one(statement.actions)]) == toset(["ecs:RunTask", "ecs:TagResource", "iam:PassRole"]) &&
      data.aws_iam_policy_document.scheduler.statement[0].resources == toset(["arn:aws:ecs:us-east-1:123456789012:task-definition/orderly-dev-audit:*"]) &&
      alltrue([for statement in data.aws_iam_policy_document.scheduler.statement : length(statement.condition) == 1])
    )
    error_message = "The scheduler may start the audit, and nothing else."
  }

  assert {
    condition = alltrue([
      for alarm in [aws_cloudwatch_metric_alarm.disagree, aws_cloudwatch_metric_alarm.silent] :
      alarm.alarm_actions == toset([var.platform.alarm_topic_arn])
    ])
    error_message = "Nobody hears that they disagree, or that nobody asked."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.silent.treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.silent.evaluation_periods == 26
    error_message = "Silence is taken for agreement."
  }
}
