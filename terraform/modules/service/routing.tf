# How requests find the tasks.

resource "aws_lb_target_group" "main" {
  for_each = local.colours

  # Names have 32 characters at most, so the colour is one letter of it.
  name                          = "${local.full_name}-${substr(each.key, 0, 1)}"
  vpc_id                        = var.platform.network.vpc_id
  target_type                   = "ip"
  protocol                      = "HTTP"
  port                          = local.port
  deregistration_delay          = local.leaving.deregistration_s
  load_balancing_algorithm_type = "least_outstanding_requests"

  # Alive, not ready: while the database is away, orders are taken all the same, and a
  # database that sleeps is not woken by this.
  health_check {
    path                = "/healthz"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}

# What the rule's action depends on: changes of an action are ignored below.
resource "terraform_data" "routing" {
  input = {
    strategy     = var.platform.deployment.strategy
    token_issuer = var.platform.token_issuer
  }
}

resource "aws_lb_listener_rule" "main" {
  listener_arn = var.platform.load_balancer.listener_arn
  priority     = var.priority

  condition {
    path_pattern {
      values = [local.path]
    }
  }

  dynamic "action" {
    for_each = var.platform.token_issuer[*]

    content {
      type  = "jwt-validation"
      order = 1

      jwt_validation {
        issuer        = action.value.issuer
        jwks_endpoint = action.value.jwks_url

        additional_claim {
          name   = "token_use"
          format = "single-string"
          values = ["access"]
        }
      }
    }
  }

  action {
    type  = "forward"
    order = 2

    forward {
      dynamic "target_group" {
        for_each = aws_lb_target_group.main

        content {
          arn    = target_group.value.arn
          weight = target_group.key == "blue" ? 100 : 0
        }
      }
    }
  }

  lifecycle {
    # ECS turns the weights with every deployment.
    ignore_changes       = [action]
    replace_triggered_by = [terraform_data.routing]
  }
}

# Where a token is asked for, what needs none passes before: documents, what is signed
# otherwise, and browsers that ask whether they may.
resource "aws_lb_listener_rule" "open" {
  for_each = {
    for name, rule in {
      preflight = { paths = [local.path], methods = ["OPTIONS"], priority = var.priority - 2 }
      paths     = { paths = var.open_paths, methods = [], priority = var.priority - 1 }
    } : name => rule
    if var.platform.token_issuer != null && length(rule.paths) > 0
  }

  listener_arn = var.platform.load_balancer.listener_arn
  priority     = each.value.priority

  condition {
    path_pattern {
      values = each.value.paths
    }
  }

  dynamic "condition" {
    for_each = length(each.value.methods) > 0 ? [each.value.methods] : []

    content {
      http_request_method {
        values = condition.value
      }
    }
  }

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.main["blue"].arn
  }
}
