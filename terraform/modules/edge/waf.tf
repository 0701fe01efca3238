# The same wall before CloudFront and, if it is public, before the load balancer.

locals {
  walls = merge(
    {
      cloudfront = {
        scope  = "CLOUDFRONT"
        region = "us-east-1"
        exempt = var.rate_limit.exempt_cidrs
      }
    },
    var.load_balancer.public ? {
      balancer = {
        scope  = "REGIONAL"
        region = var.region
        # What comes by way of CloudFront was counted there, by who sent it.
        exempt = concat(var.rate_limit.exempt_cidrs, data.aws_ip_ranges.cloudfront[0].cidr_blocks)
      }
    } : {},
  )

  managed_rules = {
    AWSManagedRulesAmazonIpReputationList = []
    AWSManagedRulesKnownBadInputsRuleSet  = []
    # Counted only: batches are larger than 8 KiB, a hundred ids or SKUs in an address are
    # longer than 2 KiB, and machines send no user agent.
    AWSManagedRulesCommonRuleSet = ["NoUserAgent_HEADER", "SizeRestrictions_BODY", "SizeRestrictions_QUERYSTRING"]
  }
}

data "aws_ip_ranges" "cloudfront" {
  count = var.load_balancer.public ? 1 : 0

  services = ["cloudfront_origin_facing"]
}

resource "aws_wafv2_ip_set" "exempt" {
  for_each = local.walls

  region             = each.value.region
  name               = "${var.name}-${each.key}-exempt"
  description        = "Addresses without a limit of requests."
  scope              = each.value.scope
  ip_address_version = "IPV4"
  addresses          = each.value.exempt
}

resource "aws_wafv2_web_acl" "main" {
  #checkov:skip=CKV_AWS_192: AWSManagedRulesKnownBadInputsRuleSet is among local.managed_rules, where checkov does not look.
  for_each = local.walls

  region      = each.value.region
  name        = "${var.name}-${each.key}"
  description = "Before ${each.key} of ${var.name}."
  scope       = each.value.scope

  default_action {
    allow {}
  }

  custom_response_body {
    key          = "too_many_requests"
    content_type = "APPLICATION_JSON"
    content = jsonencode({
      type   = "urn:orderly:problem:too_many_requests"
      title  = "Too many requests"
      status = 429
      detail = "There were more than ${var.rate_limit.requests} requests from this address in five minutes."
      code   = "too_many_requests"
    })
  }

  dynamic "rule" {
    for_each = local.managed_rules

    content {
      name     = rule.key
      priority = index(keys(local.managed_rules), rule.key)

      override_action {
        none {}
      }

      statement {
        managed_rule_group_statement {
          vendor_name = "AWS"
          name        = rule.key

          dynamic "rule_action_override" {
            for_each = rule.value

            content {
              name = rule_action_override.value

              action_to_use {
                count {}
              }
            }
          }
        }
      }

      visibility_config {
        metric_name                = rule.key
        cloudwatch_metrics_enabled = true
        sampled_requests_enabled   = true
      }
    }
  }

  # After the managed rules, which hold for everybody, and before the limit.
  rule {
    name     = "exempt"
    priority = 10

    action {
      allow {}
    }

    statement {
      ip_set_reference_statement {
        arn = aws_wafv2_ip_set.exempt[each.key].arn
      }
    }

    visibility_config {
      metric_name                = "exempt"
      cloudwatch_metrics_enabled = true
      sampled_requests_enabled   = true
    }
  }

  rule {
    name     = "rate"
    priority = 11

    action {
      block {
        custom_response {
          response_code            = 429
          custom_response_body_key = "too_many_requests"

          response_header {
            name  = "Retry-After"
            value = "60"
          }
        }
      }
    }

    statement {
      rate_based_statement {
        aggregate_key_type    = "IP"
        limit                 = var.rate_limit.requests
        evaluation_window_sec = 300
      }
    }

    visibility_config {
      metric_name                = "rate"
      cloudwatch_metrics_enabled = true
      sampled_requests_enabled   = true
    }
  }

  visibility_config {
    metric_name                = "${var.name}-${each.key}"
    cloudwatch_metrics_enabled = true
    sampled_requests_enabled   = true
  }
}

resource "aws_wafv2_web_acl_association" "balancer" {
  count = var.load_balancer.public ? 1 : 0

  resource_arn = aws_lb.main.arn
  web_acl_arn  = aws_wafv2_web_acl.main["balancer"].arn
}

resource "aws_cloudwatch_log_group" "waf" {
  for_each = local.walls

  region = each.value.region
  # The beginning of the name is AWS's condition.
  name              = "aws-waf-logs-${var.name}-${each.key}"
  retention_in_days = var.log_retention_days
}

# What was turned away, and what would have been; without the tokens.
resource "aws_wafv2_web_acl_logging_configuration" "main" {
  for_each = local.walls

  region                  = each.value.region
  resource_arn            = aws_wafv2_web_acl.main[each.key].arn
  log_destination_configs = [aws_cloudwatch_log_group.waf[each.key].arn]

  redacted_fields {
    single_header {
      name = "authorization"
    }
  }

  logging_filter {
    default_behavior = "DROP"

    filter {
      behavior    = "KEEP"
      requirement = "MEETS_ANY"

      condition {
        action_condition {
          action = "BLOCK"
        }
      }

      condition {
        action_condition {
          action = "COUNT"
        }
      }
    }
  }
}
