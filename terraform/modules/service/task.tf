# What runs: migrations first, once per new version; then the service.

locals {
  database_url = "postgresql://${var.database.role}@%s:${var.database.port}/${var.database.name}"

  environment = merge(
    {
      AWS_REGION              = var.platform.region
      ORDERLY_AWS_ACCOUNT_ID  = var.platform.account_id
      ORDERLY_HOST            = "0.0.0.0"
      ORDERLY_PORT            = tostring(local.port)
      ORDERLY_DATABASE_LOGIN  = "iam"
      ORDERLY_ISSUERS         = var.platform.issuers
      ORDERLY_DRAIN_S         = tostring(local.leaving.drain_s)
      ORDERLY_LEAVES_WITHIN_S = tostring(local.leaving.leaves_within_s)
      ORDERLY_METRICS         = "emf"
      ORDERLY_TRACE_SAMPLING  = tostring(var.platform.trace_sampling)

      "${local.prefix}DATABASE_URL" = format(local.database_url, var.database.host)
    },
    var.platform.trace_sampling == 0 ? {} : {
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT = "https://xray.${var.platform.region}.amazonaws.com/v1/traces"
    },
    var.database.reader_host == null ? {} : {
      "${local.prefix}DATABASE_READER_URL" = format(local.database_url, var.database.reader_host)
    },
    { for name, value in var.settings : "${local.prefix}${name}" => value },
  )

  container = {
    image       = var.image.uri
    environment = [for name, value in local.environment : { name = name, value = value }]
    # The agent behind `aws ecs execute-command` writes to it.
    readonlyRootFilesystem = !var.platform.debug
    # Nobody in particular: whatever the image says, it is not root.
    user = "10001:10001"
    linuxParameters = {
      initProcessEnabled = true
      capabilities       = { drop = ["ALL"] }
      # The one place that libraries expect to be able to write to, as in docker-compose.yml.
      tmpfs = [
        {
          containerPath = "/tmp"
          size          = 64
        },
      ]
    }
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.main.name
        awslogs-region        = var.platform.region
        awslogs-stream-prefix = "task"
        # Rather lose lines than stand still when CloudWatch does not take them.
        mode            = "non-blocking"
        max-buffer-size = "4m"
      }
    }
  }
}

resource "aws_ecs_task_definition" "main" {
  family                   = local.full_name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.size.cpu
  memory                   = var.size.memory
  task_role_arn            = module.roles.task.arn
  execution_role_arn       = module.roles.execution.arn

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.platform.cpu_architecture
  }

  container_definitions = jsonencode([
    # Every task starts with it: whoever comes first holds the lock and migrates, the
    # others find nothing to do. A failure leaves the running version where it is. Tasks
    # that run go on without their database; a new one needs it, for this. No startTimeout,
    # since a migration may take its time, and a database may have to wake.
    merge(local.container, {
      name      = "migrate"
      essential = false
      command   = ["python", "-m", var.service, "migrate"]
      secrets = [
        {
          name      = "${local.prefix}DATABASE_ADMIN"
          valueFrom = var.platform.master_secret_arn
        },
      ]
    }),
    # No health check of its own: the balancer asks each task already, and a Python
    # started every few seconds is no small part of a quarter of a processor.
    merge(local.container, {
      name      = var.service
      essential = true
      dependsOn = [
        {
          containerName = "migrate"
          condition     = "SUCCESS"
        },
      ]
      portMappings = [
        {
          containerPort = local.port
          protocol      = "tcp"
        },
      ]
      stopTimeout = local.leaving.stop_timeout_s
      secrets = [
        for name, arn in var.secrets : {
          name      = "${local.prefix}${name}"
          valueFrom = arn
        }
      ]
    }),
  ])
}
