# What one service owns, as it is for Orders with two queues.

mock_provider "aws" {
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

  mock_resource "aws_lb_target_group" {
    defaults = {
      arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/mock/1"
    }
  }

  mock_resource "aws_lb_listener_rule" {
    defaults = {
      arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener-rule/app/mock/1/2/3"
    }
  }

  mock_resource "aws_ecs_task_definition" {
    defaults = {
      arn = "arn:aws:ecs:us-east-1:123456789012:task-definition/mock:1"
    }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = {
      arn = "arn:aws:logs:us-east-1:123456789012:log-group:mock"
    }
  }
}

override_resource {
  target = module.roles.aws_iam_role.task
  values = { arn = "arn:aws:iam::123456789012:role/task" }
}

override_resource {
  target = module.roles.aws_iam_role.execution
  values = { arn = "arn:aws:iam::123456789012:role/execution" }
}

variables {
  service = "orders"
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
    load_balancer = {
      listener_arn      = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/orderly-dev/1/2"
      arn_suffix        = "app/orderly-dev/1"
      security_group_id = "sg-balancer"
    }
    database_security_group_id = "sg-database"
    master_secret_arn          = "arn:aws:secretsmanager:us-east-1:123456789012:secret:master"
    issuers                    = "[]"
    cpu_architecture           = "ARM64"
    spot_weight                = 0
    deployment = {
      strategy       = "CANARY"
      canary_percent = 10
      bake_minutes   = 5
    }
    alarm_topic_arn    = "arn:aws:sns:us-east-1:123456789012:alarms"
    log_retention_days = 30
    debug              = false
    trace_sampling     = 0.05
  }
  image = {
    uri            = "registry/orders@sha256:0000000000000000000000000000000000000000000000000000000000000000"
    repository_arn = "arn:aws:ecr:us-east-1:123456789012:repository/orderly-dev/orders"
  }
  size = {
    cpu                 = 256
    memory              = 512
    tasks               = { min = 2, max = 6 }
    requests_per_task   = 3000
    seconds_per_message = 0.5
    slow_after_s        = 2
  }
  priority   = 100
  open_paths = ["/v1/orders/docs"]
  database = {
    host        = "database.example"
    port        = 5432
    name        = "orders"
    role        = "orders_service"
    connect_arn = "arn:aws:rds-db:us-east-1:123456789012:dbuser:cluster-1/orders_service"
  }
  topic = {
    arn  = "arn:aws:sns:us-east-1:123456789012:orderly-orders"
    name = "orderly-orders"
  }
  queues = {
    orderly-orders-from-inventory = {
      arn          = "arn:aws:sqs:us-east-1:123456789012:orderly-orders-from-inventory"
      url          = "https://sqs.us-east-1.amazonaws.com/123456789012/orderly-orders-from-inventory"
      name         = "orderly-orders-from-inventory"
      dlq_arn      = "arn:aws:sqs:us-east-1:123456789012:orderly-orders-from-inventory-dlq"
      dlq_name     = "orderly-orders-from-inventory-dlq"
      age_target_s = 60
    }
    orderly-orders-intake = {
      arn          = "arn:aws:sqs:us-east-1:123456789012:orderly-orders-intake"
      url          = "https://sqs.us-east-1.amazonaws.com/123456789012/orderly-orders-intake"
      name         = "orderly-orders-intake"
      dlq_arn      = "arn:aws:sqs:us-east-1:123456789012:orderly-orders-intake-dlq"
      dlq_name     = "orderly-orders-intake-dlq"
      age_target_s = 30
    }
  }
  settings = { LOG_LEVEL = "info" }
  secrets  = { GATEWAY_SECRETS = "arn:aws:secretsmanager:us-east-1:123456789012:secret:gateway" }
}

run "requests_find_the_tasks" {
  module {
    source = "./modules/service"
  }

  assert {
    condition     = one([for condition in aws_lb_listener_rule.main.condition : one(condition.path_pattern).values if length(condition.path_pattern) > 0]) == toset(["/v1/orders*"])
    error_message = "The service has all of /v1/orders, and nothing else."
  }

  assert {
    condition     = aws_lb_listener_rule.main.priority == 100
    error_message = "The rule has its place."
  }

  assert {
    condition     = length(aws_lb_listener_rule.open) == 0
    error_message = "Without a wall no path needs a way around it."
  }

  assert {
    condition = alltrue([
      for group in aws_lb_target_group.main :
      group.target_type == "ip" && group.port == 8000 && one(group.health_check).path == "/healthz" && one(group.health_check).matcher == "200"
    ]) && keys(aws_lb_target_group.main) == ["blue", "green"]
    error_message = "Two groups of targets, which are asked whether they are alive."
  }

  assert {
    condition     = alltrue([for group in aws_lb_target_group.main : length(group.name) <= 32])
    error_message = "AWS takes names of 32 characters."
  }
}

run "names_of_target_groups_fit_at_their_longest" {
  command = plan

  module {
    source = "./modules/service"
  }

  variables {
    service = "accounting"
    platform = merge(var.platform, {
      name = "abcdefghijkl-prod"
    })
    topic = merge(var.topic, {
      name = "orderly-accounting"
    })
    queues = {
      orderly-accounting-from-orders = merge(var.queues["orderly-orders-intake"], {
        name = "orderly-accounting-from-orders"
      })
    }
  }

  assert {
    condition     = alltrue([for group in aws_lb_target_group.main : length(group.name) <= 32])
    error_message = "AWS takes names of 32 characters."
  }
}

run "security_groups_are_the_picture" {
  module {
    source = "./modules/service"
  }

  assert {
    condition = (
      aws_vpc_security_group_ingress_rule.tasks_from_balancer.security_group_id == aws_security_group.tasks.id &&
      aws_vpc_security_group_ingress_rule.tasks_from_balancer.referenced_security_group_id == "sg-balancer" &&
      aws_vpc_security_group_ingress_rule.tasks_from_balancer.from_port == 8000 &&
      aws_vpc_security_group_ingress_rule.tasks_from_balancer.to_port == 8000 &&
      aws_vpc_security_group_ingress_rule.tasks_from_balancer.ip_protocol == "tcp" &&
      aws_vpc_security_group_ingress_rule.tasks_from_balancer.cidr_ipv4 == null
    )
    error_message = "Only the balancer comes in, and only to the service's port."
  }

  assert {
    condition = (
      aws_vpc_security_group_egress_rule.balancer_to_tasks.security_group_id == "sg-balancer" &&
      aws_vpc_security_group_egress_rule.balancer_to_tasks.referenced_security_group_id == aws_security_group.tasks.id &&
      aws_vpc_security_group_egress_rule.balancer_to_tasks.from_port == 8000 &&
      aws_vpc_security_group_egress_rule.balancer_to_tasks.to_port == 8000
    )
    error_message = "The balancer goes to the tasks."
  }

  assert {
    condition = (
      aws_vpc_security_group_ingress_rule.database_from_tasks.security_group_id == "sg-database" &&
      aws_vpc_security_group_ingress_rule.database_from_tasks.referenced_security_group_id == aws_security_group.tasks.id &&
      aws_vpc_security_group_ingress_rule.database_from_tasks.from_port == 5432 &&
      aws_vpc_security_group_ingress_rule.database_from_tasks.to_port == 5432 &&
      aws_vpc_security_group_ingress_rule.database_from_tasks.cidr_ipv4 == null
    )
    error_message = "The tasks come to the database, and only there."
  }

  assert {
    condition = (
      aws_vpc_security_group_egress_rule.tasks_to_database.security_group_id == aws_security_group.tasks.id &&
      aws_vpc_security_group_egress_rule.tasks_to_database.referenced_security_group_id == "sg-database" &&
      aws_vpc_security_group_egress_rule.tasks_to_database.from_port == 5432 &&
      aws_vpc_security_group_egress_rule.tasks_to_database.to_port == 5432
    )
    error_message = "The tasks go to the database."
  }

  assert {
    condition = (
      one(aws_vpc_security_group_egress_rule.tasks_to_everywhere).from_port == 443 &&
      one(aws_vpc_security_group_egress_rule.tasks_to_everywhere).to_port == 443 &&
      one(aws_vpc_security_group_egress_rule.tasks_to_everywhere).ip_protocol == "tcp"
    )
    error_message = "The tasks go to AWS by TLS only."
  }

  assert {
    condition = (
      one(aws_ecs_service.main.network_configuration).security_groups == toset([aws_security_group.tasks.id]) &&
      one(aws_ecs_service.main.network_configuration).assign_public_ip == false
    )
    error_message = "The tasks are in their group, and have no public address."
  }
}

run "a_task_migrates_and_then_serves" {
  module {
    source = "./modules/service"
  }

  assert {
    condition     = [for container in jsondecode(aws_ecs_task_definition.main.container_definitions) : container.name] == ["migrate", "orders"]
    error_message = "Two containers, the migration first."
  }

  assert {
    condition = (
      jsondecode(aws_ecs_task_definition.main.container_definitions)[0].command == ["python", "-m", "orders", "migrate"] &&
      jsondecode(aws_ecs_task_definition.main.container_definitions)[0].essential == false &&
      jsondecode(aws_ecs_task_definition.main.container_definitions)[1].essential == true &&
      jsondecode(aws_ecs_task_definition.main.container_definitions)[1].dependsOn == [{ condition = "SUCCESS", containerName = "migrate" }]
    )
    error_message = "The service starts when its migrations have succeeded."
  }

  assert {
    condition = alltrue([
      for container in jsondecode(aws_ecs_task_definition.main.container_definitions) :
      container.readonlyRootFilesystem == true &&
      !startswith(container.user, "0") && !startswith(container.user, "root") &&
      container.linuxParameters.capabilities.drop == ["ALL"] &&
      [for place in container.linuxParameters.tmpfs : place.containerPath] == ["/tmp"] &&
      container.image == var.image.uri
    ])
    error_message = "No container writes anywhere but to /tmp, is root, or may do more than a process."
  }

  assert {
    condition = alltrue([
      for container in jsondecode(aws_ecs_task_definition.main.container_definitions) :
      container.logConfiguration.logDriver == "awslogs" &&
      container.logConfiguration.options["awslogs-group"] == "/orderly-dev/orders" &&
      container.logConfiguration.options.mode == "non-blocking"
    ]) && aws_cloudwatch_log_group.main.retention_in_days == 30
    error_message = "What is logged goes to the service's group, and is kept for as long as was said."
  }

  assert {
    condition = { for item in jsondecode(aws_ecs_task_definition.main.container_definitions)[1].environment : item.name => item.value } == {
      AWS_REGION              = "us-east-1"
      ORDERLY_AWS_ACCOUNT_ID  = "123456789012"
      ORDERLY_DATABASE_LOGIN  = "iam"
      ORDERLY_DRAIN_S         = "10"
      ORDERLY_HOST            = "0.0.0.0"
      ORDERLY_ISSUERS         = "[]"
      ORDERLY_LEAVES_WITHIN_S = "26"
      ORDERLY_METRICS         = "emf"
      ORDERLY_PORT            = "8000"
      ORDERLY_TRACE_SAMPLING  = "0.05"

      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT = "https://xray.us-east-1.amazonaws.com/v1/traces"

      ORDERS_DATABASE_URL = "postgresql://orders_service@database.example:5432/orders"
      ORDERS_LOG_LEVEL    = "info"
    }
    error_message = "The environment is what the settings read, and has no password."
  }

  assert {
    condition = (
      jsondecode(aws_ecs_task_definition.main.container_definitions)[0].secrets == [{ name = "ORDERS_DATABASE_ADMIN", valueFrom = "arn:aws:secretsmanager:us-east-1:123456789012:secret:master" }] &&
      jsondecode(aws_ecs_task_definition.main.container_definitions)[1].secrets == [{ name = "ORDERS_GATEWAY_SECRETS", valueFrom = "arn:aws:secretsmanager:us-east-1:123456789012:secret:gateway" }]
    )
    error_message = "The master login is for the migrations alone."
  }

  assert {
    condition = (
      one(aws_ecs_task_definition.main.runtime_platform).cpu_architecture == "ARM64" &&
      aws_ecs_task_definition.main.requires_compatibilities == toset(["FARGATE"]) &&
      aws_ecs_task_definition.main.network_mode == "awsvpc" &&
      aws_ecs_task_definition.main.cpu == "256" &&
      aws_ecs_task_definition.main.memory == "512"
    )
    error_message = "A task of the size that was asked for, on Fargate."
  }
}

run "a_task_leaves_without_a_failed_request" {
  module {
    source = "./modules/service"
  }

  assert {
    condition     = alltrue([for group in aws_lb_target_group.main : tonumber(group.deregistration_delay) >= 30])
    error_message = "What was begun may end: an answer is held for up to 20 s."
  }

  assert {
    # chassis/lifecycle.py: answers 10 s, the outbox 4 s; settings.py: closing 2 s more.
    condition = (
      local.leaving.leaves_within_s >= local.leaving.drain_s + 10 + 4 &&
      local.leaving.stop_timeout_s > local.leaving.leaves_within_s + 2
    )
    error_message = "ECS waits until the service has left by itself."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.main.container_definitions)[1].stopTimeout == local.leaving.stop_timeout_s
    error_message = "ECS knows how long it takes."
  }
}

run "a_canary_goes_first_and_comes_back_by_itself" {
  module {
    source = "./modules/service"
  }

  assert {
    condition = (
      one(aws_ecs_service.main.deployment_configuration).strategy == "CANARY" &&
      one(aws_ecs_service.main.deployment_configuration).bake_time_in_minutes == "5" &&
      one(one(aws_ecs_service.main.deployment_configuration).canary_configuration).canary_percent == 10 &&
      one(one(aws_ecs_service.main.deployment_configuration).canary_configuration).canary_bake_time_in_minutes == "5"
    )
    error_message = "A tenth of the traffic for five minutes, then all of it with the old tasks still there."
  }

  assert {
    condition = (
      one(aws_ecs_service.main.deployment_circuit_breaker).enable &&
      one(aws_ecs_service.main.deployment_circuit_breaker).rollback &&
      one(aws_ecs_service.main.alarms).enable &&
      one(aws_ecs_service.main.alarms).rollback
    )
    error_message = "Tasks that do not start and alarms that ring both send a deployment back."
  }

  assert {
    condition = one(aws_ecs_service.main.alarms).alarm_names == toset([
      "orderly-dev-orders-errors",
      "orderly-dev-orders-slow",
      "orderly-dev-orders-unhealthy",
      "orderly-dev-orders-dead-letters-orderly-orders-from-inventory",
      "orderly-dev-orders-dead-letters-orderly-orders-intake",
    ])
    error_message = "What speaks of the version sends it back."
  }

  assert {
    condition = (
      one(one(aws_ecs_service.main.load_balancer).advanced_configuration).production_listener_rule == aws_lb_listener_rule.main.arn &&
      one(one(aws_ecs_service.main.load_balancer).advanced_configuration).role_arn == one(aws_iam_role.infrastructure).arn &&
      one(aws_iam_role_policy_attachment.infrastructure).policy_arn == "arn:aws:iam::aws:policy/AmazonECSInfrastructureRolePolicyForLoadBalancers"
    )
    error_message = "ECS may turn the weights of the service's rule."
  }

  assert {
    condition = (
      aws_ecs_service.main.deployment_minimum_healthy_percent == 100 &&
      aws_ecs_service.main.wait_for_steady_state &&
      aws_ecs_service.main.sigint_rollback == null &&
      aws_ecs_service.main.enable_execute_command == false
    )
    error_message = "Nothing is taken away before the new is there, and apply waits for it."
  }
}

run "the_task_may_do_what_the_service_does_and_nothing_else" {
  module {
    source = "./modules/service"
  }

  assert {
    condition = { for statement in data.aws_iam_policy_document.task.statement : statement.sid => { actions = statement.actions, resources = statement.resources } } == {
      Announce = {
        actions   = toset(["sns:Publish"])
        resources = toset(["arn:aws:sns:us-east-1:123456789012:orderly-orders"])
      }
      Listen = {
        actions = toset([
          "sqs:ChangeMessageVisibility",
          "sqs:DeleteMessage",
          "sqs:GetQueueAttributes",
          "sqs:GetQueueUrl",
          "sqs:ReceiveMessage",
          "sqs:SendMessage",
        ])
        resources = toset([
          "arn:aws:sqs:us-east-1:123456789012:orderly-orders-from-inventory",
          "arn:aws:sqs:us-east-1:123456789012:orderly-orders-from-inventory-dlq",
          "arn:aws:sqs:us-east-1:123456789012:orderly-orders-intake",
          "arn:aws:sqs:us-east-1:123456789012:orderly-orders-intake-dlq",
        ])
      }
      Trace = {
        actions   = toset(["xray:PutTraceSegments"])
        resources = toset(["*"])
      }
      LogIn = {
        actions   = toset(["rds-db:connect"])
        resources = toset(["arn:aws:rds-db:us-east-1:123456789012:dbuser:cluster-1/orders_service"])
      }
    }
    error_message = "Its own topic, its own queues, its own login."
  }

  assert {
    condition     = alltrue([for statement in data.aws_iam_policy_document.task.statement : coalesce(statement.effect, "Allow") == "Allow" && statement.not_actions == null && statement.not_resources == null])
    error_message = "Nothing is allowed by naming what is not."
  }

  assert {
    condition = output.execution_may == {
      Log = {
        actions   = toset(["logs:CreateLogStream", "logs:PutLogEvents"])
        resources = toset(["${aws_cloudwatch_log_group.main.arn}:*"])
      }
      FetchImage = {
        actions   = toset(["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"])
        resources = toset(["arn:aws:ecr:us-east-1:123456789012:repository/orderly-dev/orders"])
      }
      LogInToRegistry = {
        actions   = toset(["ecr:GetAuthorizationToken"])
        resources = toset(["*"])
      }
      ReadSecrets = {
        actions = toset(["secretsmanager:GetSecretValue"])
        resources = toset([
          "arn:aws:secretsmanager:us-east-1:123456789012:secret:gateway",
          "arn:aws:secretsmanager:us-east-1:123456789012:secret:master",
        ])
      }
    }
    error_message = "ECS fetches the image and the secrets, and writes the log."
  }

  assert {
    condition = (
      aws_ecs_task_definition.main.task_role_arn == "arn:aws:iam::123456789012:role/task" &&
      aws_ecs_task_definition.main.execution_role_arn == "arn:aws:iam::123456789012:role/execution" &&
      aws_iam_role_policy.task.role == "orderly-dev-orders-task"
    )
    error_message = "Each has its own role."
  }
}

run "it_scales_by_cpu_requests_and_backlog" {
  module {
    source = "./modules/service"
  }

  assert {
    condition = (
      aws_appautoscaling_target.main.min_capacity == 2 &&
      aws_appautoscaling_target.main.max_capacity == 6 &&
      aws_ecs_service.main.desired_count == 2
    )
    error_message = "As many tasks as were asked for."
  }

  assert {
    condition     = one(one(aws_appautoscaling_policy.cpu.target_tracking_scaling_policy_configuration).predefined_metric_specification).predefined_metric_type == "ECSServiceAverageCPUUtilization"
    error_message = "By CPU."
  }

  assert {
    condition     = keys(aws_appautoscaling_policy.load) == ["backlog", "requests"]
    error_message = "By requests and by backlog."
  }

  assert {
    condition = alltrue([
      for policy in concat([aws_appautoscaling_policy.cpu], values(aws_appautoscaling_policy.load)) :
      one(policy.target_tracking_scaling_policy_configuration).scale_out_cooldown <= 60 &&
      one(policy.target_tracking_scaling_policy_configuration).scale_in_cooldown >= 300 &&
      one(policy.target_tracking_scaling_policy_configuration).disable_scale_in != true
    ])
    error_message = "Out fast, in slowly."
  }

  assert {
    # The strictest queue: 30 s, at half a second a message.
    condition = (
      one(aws_appautoscaling_policy.load["backlog"].target_tracking_scaling_policy_configuration).target_value == 60 &&
      one(aws_appautoscaling_policy.load["requests"].target_tracking_scaling_policy_configuration).target_value == 3000
    )
    error_message = "The targets are the tolerated age by the time for a message, and what a task takes."
  }

  assert {
    condition = toset([
      for metric in one(one(aws_appautoscaling_policy.load["backlog"].target_tracking_scaling_policy_configuration).customized_metric_specification).metrics :
      one(one(one(metric.metric_stat).metric).dimensions).value
      if !metric.return_data && metric.id != "tasks"
    ]) == toset(["orderly-orders-from-inventory", "orderly-orders-intake"])
    error_message = "The backlog is that of all of its queues."
  }

  assert {
    condition = one([
      for metric in one(one(aws_appautoscaling_policy.load["requests"].target_tracking_scaling_policy_configuration).customized_metric_specification).metrics :
      metric.expression if metric.return_data
    ]) == "(FILL(blue, 0) + FILL(green, 0)) / tasks"
    error_message = "The requests are those of both versions."
  }
}

run "alarms_ring" {
  module {
    source = "./modules/service"
  }

  assert {
    condition = keys(output.alarm_names) == [
      "dead letters in orderly-orders-from-inventory",
      "dead letters in orderly-orders-intake",
      "errors",
      "full",
      "late in orderly-orders-from-inventory",
      "late in orderly-orders-intake",
      "missing",
      "slow",
      "unhealthy",
    ]
    error_message = "There is an alarm for each thing that somebody has to look at."
  }

  assert {
    condition = alltrue([
      for alarm in local.alarms :
      alarm.alarm_actions == toset(["arn:aws:sns:us-east-1:123456789012:alarms"]) &&
      alarm.ok_actions == toset(["arn:aws:sns:us-east-1:123456789012:alarms"]) &&
      alarm.actions_enabled != false
    ])
    error_message = "Every alarm is told, and that it is over too."
  }

  assert {
    condition = alltrue([
      for name, alarm in aws_cloudwatch_metric_alarm.dead_letters :
      alarm.dimensions == tomap({ QueueName = "${name}-dlq" }) &&
      alarm.metric_name == "ApproximateNumberOfMessagesVisible" &&
      alarm.comparison_operator == "GreaterThanThreshold" &&
      alarm.threshold == 0 &&
      alarm.datapoints_to_alarm == 1
    ])
    error_message = "One dead letter is enough."
  }

  assert {
    condition = alltrue([
      for name, alarm in aws_cloudwatch_metric_alarm.late :
      alarm.dimensions == tomap({ QueueName = name }) &&
      alarm.metric_name == "ApproximateAgeOfOldestMessage" &&
      alarm.threshold == var.queues[name].age_target_s
    ])
    error_message = "A message that waits longer than its queue tolerates is late."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.missing.metric_name == "CPUUtilization" &&
      aws_cloudwatch_metric_alarm.missing.statistic == "SampleCount" &&
      aws_cloudwatch_metric_alarm.missing.threshold == 2 &&
      aws_cloudwatch_metric_alarm.missing.comparison_operator == "LessThanThreshold" &&
      aws_cloudwatch_metric_alarm.missing.treat_missing_data == "breaching"
    )
    error_message = "Tasks that are not there send nothing, which has to ring too."
  }

  assert {
    condition = alltrue([
      for alarm in [aws_cloudwatch_metric_alarm.errors, aws_cloudwatch_metric_alarm.slow, aws_cloudwatch_metric_alarm.unhealthy] :
      toset(flatten([for query in alarm.metric_query : [for metric in query.metric : metric.dimensions.TargetGroup]])) == toset([for group in aws_lb_target_group.main : group.arn_suffix])
    ])
    error_message = "Both versions are watched."
  }

  assert {
    condition = (
      toset(flatten([for query in aws_cloudwatch_metric_alarm.errors.metric_query : [for metric in query.metric : metric.metric_name]])) == toset(["HTTPCode_Target_5XX_Count", "RequestCount"]) &&
      toset(flatten([for query in aws_cloudwatch_metric_alarm.slow.metric_query : [for metric in query.metric : "${metric.metric_name} ${metric.stat}"]])) == toset(["TargetResponseTime p95"]) &&
      toset(flatten([for query in aws_cloudwatch_metric_alarm.unhealthy.metric_query : [for metric in query.metric : metric.metric_name]])) == toset(["UnHealthyHostCount"])
    )
    error_message = "Errors, slowness and health are what is watched."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.errors.threshold == 5 &&
      aws_cloudwatch_metric_alarm.slow.threshold == 2 &&
      aws_cloudwatch_metric_alarm.unhealthy.threshold == 0
    )
    error_message = "The thresholds are what was asked for."
  }
}

run "a_fixed_number_of_tasks_is_never_full" {
  command = plan

  module {
    source = "./modules/service"
  }

  variables {
    size = merge(var.size, {
      tasks = { min = 2, max = 2 }
    })
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.full) == 0
    error_message = "An alarm that always rings is none."
  }
}

run "rolling_deployments_can_have_the_wall_and_endpoints" {
  module {
    source = "./modules/service"
  }

  variables {
    platform = merge(var.platform, {
      network = merge(var.platform.network, {
        reaches = {
          endpoint_security_group_id = "sg-endpoints"
          prefix_list_id             = "pl-s3"
        }
      })
      token_issuer = {
        issuer   = "https://issuer.example"
        jwks_url = "https://issuer.example/jwks.json"
      }
      cpu_architecture = "X86_64"
      spot_weight      = 3
      deployment = merge(var.platform.deployment, {
        strategy = "ROLLING"
      })
      debug = true
    })
  }

  assert {
    condition = (
      aws_lb_listener_rule.main.action[0].type == "jwt-validation" &&
      one(aws_lb_listener_rule.main.action[0].jwt_validation).issuer == "https://issuer.example" &&
      one(aws_lb_listener_rule.main.action[0].jwt_validation).jwks_endpoint == "https://issuer.example/jwks.json" &&
      aws_lb_listener_rule.main.action[1].type == "forward"
    )
    error_message = "A token is asked for before the request goes on."
  }

  assert {
    condition = (
      alltrue([for rule in aws_lb_listener_rule.open : rule.priority < aws_lb_listener_rule.main.priority]) &&
      { for name, rule in aws_lb_listener_rule.open : name => flatten([for condition in rule.condition : [for pattern in condition.path_pattern : tolist(pattern.values)]]) } == {
        paths     = ["/v1/orders/docs"]
        preflight = ["/v1/orders*"]
      } &&
      flatten([for condition in aws_lb_listener_rule.open["preflight"].condition : [for method in condition.http_request_method : tolist(method.values)]]) == ["OPTIONS"]
    )
    error_message = "Only what needs no token passes around it."
  }

  assert {
    condition = (
      length(aws_vpc_security_group_egress_rule.tasks_to_everywhere) == 0 &&
      one(aws_vpc_security_group_egress_rule.tasks_to_endpoints).referenced_security_group_id == "sg-endpoints" &&
      one(aws_vpc_security_group_egress_rule.tasks_to_endpoints).from_port == 443 &&
      one(aws_vpc_security_group_egress_rule.tasks_to_s3).prefix_list_id == "pl-s3" &&
      one(aws_vpc_security_group_egress_rule.tasks_to_s3).from_port == 443 &&
      one(aws_vpc_security_group_ingress_rule.endpoints_from_tasks).security_group_id == "sg-endpoints" &&
      one(aws_vpc_security_group_ingress_rule.endpoints_from_tasks).referenced_security_group_id == aws_security_group.tasks.id &&
      one(aws_vpc_security_group_ingress_rule.endpoints_from_tasks).from_port == 443
    )
    error_message = "With endpoints nothing else is reached."
  }

  assert {
    condition = (
      one(aws_ecs_service.main.deployment_configuration).strategy == "ROLLING" &&
      keys(aws_lb_target_group.main) == ["blue"] &&
      length(one(aws_ecs_service.main.load_balancer).advanced_configuration) == 0 &&
      length(aws_iam_role.infrastructure) == 0
    )
    error_message = "Task by task, there is one group and nobody turns weights."
  }

  assert {
    condition     = one(aws_ecs_service.main.alarms).rollback && one(aws_ecs_service.main.deployment_circuit_breaker).rollback
    error_message = "It comes back by itself too."
  }

  assert {
    condition = { for strategy in aws_ecs_service.main.capacity_provider_strategy : strategy.capacity_provider => { base = coalesce(strategy.base, 0), weight = strategy.weight } } == {
      FARGATE      = { base = 2, weight = 1 }
      FARGATE_SPOT = { base = 0, weight = 3 }
    }
    error_message = "The minimum does not run on Spot, of the rest three in four do."
  }

  assert {
    condition     = one(aws_ecs_task_definition.main.runtime_platform).cpu_architecture == "X86_64"
    error_message = "The architecture can be chosen."
  }

  assert {
    condition     = one([for statement in data.aws_iam_policy_document.task.statement : length(statement.actions) if statement.sid == "Shell"]) == 4
    error_message = "A shell is what debug is for."
  }
}

run "a_tag_is_no_image" {
  command = plan

  module {
    source = "./modules/service"
  }

  variables {
    image = {
      uri            = "registry/orders:latest"
      repository_arn = "arn:aws:ecr:us-east-1:123456789012:repository/orderly-dev/orders"
    }
  }

  expect_failures = [var.image]
}

run "no_tasks_is_no_size" {
  command = plan

  module {
    source = "./modules/service"
  }

  variables {
    size = merge(var.size, {
      tasks = { min = 0, max = 2 }
    })
  }

  expect_failures = [var.size]
}

run "fargate_has_no_such_pair" {
  command = plan

  module {
    source = "./modules/service"
  }

  variables {
    size = merge(var.size, {
      memory = 4096
    })
  }

  expect_failures = [var.size]
}

run "nobody_has_somebody_elses" {
  command = plan

  module {
    source = "./modules/service"
  }

  variables {
    service = "inventory"
  }

  expect_failures = [var.topic, var.queues]
}

run "a_role_is_what_one_may_log_in_as" {
  command = plan

  module {
    source = "./modules/service"
  }

  variables {
    database = merge(var.database, {
      role = "postgres"
    })
  }

  expect_failures = [var.database]
}
