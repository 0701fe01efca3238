# `orderly audit`, every so often: a task that starts, asks the three services whether
# they agree, and ends with that as its exit status. It asks from outside, as everybody.

locals {
  full_name = "${var.platform.name}-audit"
  family    = "arn:aws:ecs:${var.platform.region}:${var.platform.account_id}:task-definition/${local.full_name}"
}

resource "aws_cloudwatch_log_group" "main" {
  name              = "/${var.platform.name}/audit"
  retention_in_days = var.platform.log_retention_days
}

# Its client's id and secret, as Cognito made them; so they are in the state file too.
resource "aws_secretsmanager_secret" "client" {
  #checkov:skip=CKV2_AWS_57: Cognito gives it out, and a new one comes with a new client.
  name                    = "${var.platform.name}/audit/client"
  description             = "What the audit asks for tokens with."
  recovery_window_in_days = var.protect ? 30 : 0
}

resource "aws_secretsmanager_secret_version" "client" {
  secret_id     = aws_secretsmanager_secret.client.id
  secret_string = jsonencode({ id = var.client.id, secret = var.client.secret })
}

resource "aws_ecs_task_definition" "main" {
  family                   = local.full_name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  task_role_arn            = module.roles.task.arn
  execution_role_arn       = module.roles.execution.arn

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.platform.cpu_architecture
  }

  container_definitions = jsonencode([
    {
      name                   = "audit"
      image                  = var.image.uri
      essential              = true
      command                = ["audit", "--patience", tostring(var.patience_s)]
      readonlyRootFilesystem = true
      user                   = "10001:10001"
      linuxParameters = {
        initProcessEnabled = true
        capabilities       = { drop = ["ALL"] }
      }
      environment = [
        { name = "ORDERLY_URL", value = var.url },
        { name = "ORDERLY_TOKEN_URL", value = var.client.token_url },
      ]
      secrets = [
        { name = "ORDERLY_CLIENT_ID", valueFrom = "${aws_secretsmanager_secret.client.arn}:id::" },
        { name = "ORDERLY_CLIENT_SECRET", valueFrom = "${aws_secretsmanager_secret.client.arn}:secret::" },
      ]
      logConfiguration = {
        logDriver = "awslogs"
        options = {
          awslogs-group         = aws_cloudwatch_log_group.main.name
          awslogs-region        = var.platform.region
          awslogs-stream-prefix = "task"
        }
      }
    },
  ])
}

# It asks, and is asked nothing.
resource "aws_security_group" "main" {
  #checkov:skip=CKV2_AWS_5: The schedule starts its task with it, where checkov does not look.
  name        = local.full_name
  description = "The audit."
  vpc_id      = var.platform.network.vpc_id

  tags = {
    Name = local.full_name
  }
}

resource "aws_vpc_security_group_egress_rule" "out" {
  description       = "Orderly and the user pool by their public names, and APIs of AWS"
  security_group_id = aws_security_group.main.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_scheduler_schedule" "main" {
  #checkov:skip=CKV_AWS_297: What it says is no secret: which task to start, and when.
  name                         = local.full_name
  description                  = "Have the three services audited."
  schedule_expression          = var.schedule
  schedule_expression_timezone = "UTC"

  # Any minute of the next fifteen will do.
  flexible_time_window {
    mode                      = "FLEXIBLE"
    maximum_window_in_minutes = 15
  }

  target {
    arn      = var.platform.cluster.arn
    role_arn = aws_iam_role.scheduler.arn

    ecs_parameters {
      task_definition_arn     = aws_ecs_task_definition.main.arn
      launch_type             = "FARGATE"
      enable_ecs_managed_tags = true
      propagate_tags          = "TASK_DEFINITION"

      network_configuration {
        subnets          = var.platform.network.subnet_ids
        security_groups  = [aws_security_group.main.id]
        assign_public_ip = var.platform.network.public_ip
      }
    }

    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 3
    }
  }
}
