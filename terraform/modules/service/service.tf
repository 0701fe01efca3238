# How many run, and how a new version takes over.

resource "aws_ecs_service" "main" {
  name            = local.full_name
  cluster         = var.platform.cluster.arn
  task_definition = aws_ecs_task_definition.main.arn
  # At first only: scaling decides from then on.
  desired_count = var.size.tasks.min

  # The minimum always runs where nobody takes it away.
  capacity_provider_strategy {
    capacity_provider = "FARGATE"
    base              = var.size.tasks.min
    weight            = 1
  }

  dynamic "capacity_provider_strategy" {
    for_each = var.platform.spot_weight > 0 ? [var.platform.spot_weight] : []

    content {
      capacity_provider = "FARGATE_SPOT"
      weight            = capacity_provider_strategy.value
    }
  }

  network_configuration {
    subnets          = var.platform.network.subnet_ids
    security_groups  = [aws_security_group.tasks.id]
    assign_public_ip = var.platform.network.public_ip
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.main["blue"].arn
    container_name   = var.service
    container_port   = local.port

    dynamic "advanced_configuration" {
      for_each = local.canary ? [1] : []

      content {
        alternate_target_group_arn = aws_lb_target_group.main["green"].arn
        production_listener_rule   = aws_lb_listener_rule.main.arn
        role_arn                   = aws_iam_role.infrastructure[0].arn
      }
    }
  }

  deployment_configuration {
    strategy = var.platform.deployment.strategy
    # How long the old tasks stay, for going back at once.
    bake_time_in_minutes = local.canary ? var.platform.deployment.bake_minutes : null

    dynamic "canary_configuration" {
      for_each = local.canary ? [var.platform.deployment] : []

      content {
        canary_percent              = canary_configuration.value.canary_percent
        canary_bake_time_in_minutes = canary_configuration.value.bake_minutes
      }
    }
  }

  # For tasks that never get healthy: alarms know nothing of those.
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  alarms {
    enable      = true
    rollback    = true
    alarm_names = [for name in local.rollback_alarms : local.alarms[name].alarm_name]
  }

  # All of the old ones stay until the new ones are there.
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200

  # Until the first health check: a database may have to wake for the migrations.
  health_check_grace_period_seconds = 120
  availability_zone_rebalancing     = "ENABLED"
  enable_execute_command            = var.platform.debug
  enable_ecs_managed_tags           = true
  propagate_tags                    = "SERVICE"
  wait_for_steady_state             = true

  timeouts {
    create = "30m"
    # Two bakes, starting, draining, and all that once more on the way back.
    update = "60m"
  }

  lifecycle {
    ignore_changes = [desired_count]

    postcondition {
      condition     = self.task_definition == aws_ecs_task_definition.main.arn
      error_message = "The deployment of ${var.service} was rolled back: see the service's events and alarms."
    }
  }

  depends_on = [
    aws_iam_role_policy.task,
    module.roles,
    aws_iam_role_policy_attachment.infrastructure,
    # A target group has to belong to a balancer before a service may use it.
    aws_lb_listener_rule.main,
    aws_vpc_security_group_egress_rule.balancer_to_tasks,
    aws_vpc_security_group_ingress_rule.tasks_from_balancer,
    aws_vpc_security_group_egress_rule.tasks_to_database,
    aws_vpc_security_group_ingress_rule.database_from_tasks,
    aws_vpc_security_group_egress_rule.tasks_to_everywhere,
    aws_vpc_security_group_egress_rule.tasks_to_endpoints,
    aws_vpc_security_group_ingress_rule.endpoints_from_tasks,
    aws_vpc_security_group_egress_rule.tasks_to_s3,
  ]
}
