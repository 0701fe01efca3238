# The largest wish of the three wins, and fewer tasks are run only when all three agree.
# Out fast, since customers wait; in slowly, since the next wave may be near.

locals {
  scale_out_cooldown_s = 30
  scale_in_cooldown_s  = 600

  # How many messages may wait per task, so that the last of them is not too old when its
  # turn comes. The age itself says when it is too late, but not how many tasks would do,
  # and one message that nobody can handle would call for all of them.
  messages_per_task = floor(min(values(var.queues)[*].age_target_s...) / var.size.seconds_per_message)

  # Container Insights would count the tasks for money; each of them sends one sample of
  # its CPU a minute for nothing.
  tasks_metric = {
    namespace   = "AWS/ECS"
    metric_name = "CPUUtilization"
    stat        = "SampleCount"
    dimensions = {
      ClusterName = var.platform.cluster.name
      ServiceName = local.full_name
    }
  }

  # Both groups count: a deployment moves from one to the other.
  load_metrics = {
    requests = {
      target = var.size.requests_per_task
      metrics = {
        for colour, group in aws_lb_target_group.main : colour => {
          namespace   = "AWS/ApplicationELB"
          metric_name = "RequestCount"
          stat        = "Sum"
          dimensions = {
            LoadBalancer = var.platform.load_balancer.arn_suffix
            TargetGroup  = group.arn_suffix
          }
        }
      }
    }
    backlog = {
      target = local.messages_per_task
      metrics = {
        for name, queue in var.queues : replace(name, "-", "_") => {
          namespace   = "AWS/SQS"
          metric_name = "ApproximateNumberOfMessagesVisible"
          stat        = "Average"
          dimensions = {
            QueueName = queue.name
          }
        }
      }
    }
  }
}

resource "aws_appautoscaling_target" "main" {
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${var.platform.cluster.name}/${aws_ecs_service.main.name}"
  min_capacity       = var.size.tasks.min
  max_capacity       = var.size.tasks.max
}

resource "aws_appautoscaling_policy" "cpu" {
  name               = "${local.full_name}-cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.main.service_namespace
  scalable_dimension = aws_appautoscaling_target.main.scalable_dimension
  resource_id        = aws_appautoscaling_target.main.resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = 60
    scale_out_cooldown = local.scale_out_cooldown_s
    scale_in_cooldown  = local.scale_in_cooldown_s

    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}

resource "aws_appautoscaling_policy" "load" {
  for_each = local.load_metrics

  name               = "${local.full_name}-${each.key}"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.main.service_namespace
  scalable_dimension = aws_appautoscaling_target.main.scalable_dimension
  resource_id        = aws_appautoscaling_target.main.resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = each.value.target
    scale_out_cooldown = local.scale_out_cooldown_s
    scale_in_cooldown  = local.scale_in_cooldown_s

    customized_metric_specification {
      dynamic "metrics" {
        for_each = merge(each.value.metrics, { tasks = local.tasks_metric })

        content {
          id          = metrics.key
          return_data = false

          metric_stat {
            stat = metrics.value.stat

            metric {
              namespace   = metrics.value.namespace
              metric_name = metrics.value.metric_name

              dynamic "dimensions" {
                for_each = metrics.value.dimensions

                content {
                  name  = dimensions.key
                  value = dimensions.value
                }
              }
            }
          }
        }
      }

      # Nothing scales in on what is missing, hence the zeroes.
      metrics {
        id          = "per_task"
        label       = "${each.key} per task"
        expression  = "(${join(" + ", [for id in keys(each.value.metrics) : "FILL(${id}, 0)"])}) / tasks"
        return_data = true
      }
    }
  }
}
