# What one service owns. How it is set up follows from its name, as in its code.

locals {
  full_name = "${var.platform.name}-${var.service}"
  prefix    = "${upper(var.service)}_"
  path      = "/v1/${var.service}*"
  port      = 8000

  canary = var.platform.deployment.strategy == "CANARY"
  # ECS moves the traffic from one of two groups to the other and back the next time;
  # whatever counts requests has to look at both.
  colours = toset(local.canary ? ["blue", "green"] : ["blue"])

  # How a task leaves. The balancer stops sending when ECS tells both; a task on Spot may
  # hear of it first, so it serves on for a moment (drain_s). Then answers get 10 s, and
  # what is written and announced 5 more, before it is all over (leaves_within_s), and
  # closing takes 2 s (chassis/lifecycle.py).
  leaving = {
    deregistration_s = 30
    drain_s          = 10
    leaves_within_s  = 26
    stop_timeout_s   = 30
  }
}

resource "aws_cloudwatch_log_group" "main" {
  name              = "/${var.platform.name}/${var.service}"
  retention_in_days = var.platform.log_retention_days
}
