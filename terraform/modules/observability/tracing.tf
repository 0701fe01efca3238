# Which requests leave a trace. Five dollars a million: all of them at 100 orders a second
# would cost more than the rest of Orderly.

resource "aws_xray_sampling_rule" "health" {
  rule_name      = "${var.name}-health"
  priority       = 100
  version        = 1
  service_name   = "*"
  service_type   = "*"
  host           = "*"
  http_method    = "GET"
  url_path       = "/healthz"
  resource_arn   = "*"
  reservoir_size = 0
  fixed_rate     = 0
}

resource "aws_xray_sampling_rule" "service" {
  for_each = var.services

  rule_name    = "${var.name}-${each.key}"
  priority     = 1000
  version      = 1
  service_name = each.key
  service_type = "*"
  host         = "*"
  http_method  = "*"
  url_path     = "*"
  resource_arn = "*"
  # A trace a second in any case, so that there is one when little happens.
  reservoir_size = 1
  fixed_rate     = var.trace_sampling
}
