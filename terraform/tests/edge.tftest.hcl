# The public door: what goes where, who is turned away, and what is written down.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = {
      json = "{}"
    }
  }

  mock_data "aws_ip_ranges" {
    defaults = {
      cidr_blocks = ["203.0.113.0/24"]
    }
  }

  mock_resource "aws_lb" {
    defaults = {
      arn        = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/mock/1"
      arn_suffix = "app/mock/1"
      dns_name   = "internal-mock.us-east-1.elb.amazonaws.com"
    }
  }

  mock_resource "aws_lb_listener" {
    defaults = {
      arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/mock/1/2"
    }
  }

  mock_resource "aws_s3_bucket" {
    defaults = {
      arn                         = "arn:aws:s3:::mock"
      bucket_regional_domain_name = "mock.s3.us-east-1.amazonaws.com"
    }
  }

  mock_resource "aws_cloudfront_distribution" {
    defaults = {
      arn         = "arn:aws:cloudfront::123456789012:distribution/MOCK"
      domain_name = "mock.cloudfront.net"
    }
  }

  mock_resource "aws_cloudfront_function" {
    defaults = {
      arn = "arn:aws:cloudfront::123456789012:function/mock"
    }
  }

  mock_resource "aws_wafv2_web_acl" {
    defaults = {
      arn = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/mock/1"
    }
  }

  mock_resource "aws_wafv2_ip_set" {
    defaults = {
      arn = "arn:aws:wafv2:us-east-1:123456789012:global/ipset/mock/1"
    }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = {
      arn = "arn:aws:logs:us-east-1:123456789012:log-group:aws-waf-logs-mock"
    }
  }

  mock_resource "aws_cloudwatch_log_delivery_destination" {
    defaults = {
      arn = "arn:aws:logs:us-east-1:123456789012:delivery-destination:mock"
    }
  }
}

override_data {
  target = data.aws_ec2_managed_prefix_list.cloudfront

  values = {
    id = "pl-cloudfront"
  }
}

variables {
  name       = "orderly-dev"
  region     = "us-east-1"
  account_id = "123456789012"
  network = {
    vpc_id             = "vpc-1"
    private_subnet_ids = ["subnet-private-1", "subnet-private-2"]
    public_subnet_ids  = ["subnet-public-1", "subnet-public-2"]
  }
  paths           = ["/v1/accounting*", "/v1/inventory*", "/v1/orders*"]
  domain_names    = []
  certificate_arn = null
  load_balancer = {
    public = false
  }
  rate_limit = {
    requests     = 10000
    exempt_cidrs = ["198.51.100.7/32"]
  }
  price_class        = "PriceClass_100"
  sign_in_origin     = "https://sign-in.example"
  alarm_topic_arn    = "arn:aws:sns:us-east-1:123456789012:alarms"
  log_retention_days = 30
  protect            = true
}

run "only_cloudfront_reaches_the_balancer" {
  module {
    source = "./modules/edge"
  }

  assert {
    condition     = aws_lb.main.internal && aws_lb.main.subnets == toset(var.network.private_subnet_ids) && aws_lb.main.security_groups == toset([aws_security_group.balancer.id])
    error_message = "The balancer is inside."
  }

  assert {
    condition = (
      one(aws_vpc_security_group_ingress_rule.from_cloudfront).security_group_id == aws_security_group.balancer.id &&
      one(aws_vpc_security_group_ingress_rule.from_cloudfront).prefix_list_id == "pl-cloudfront" &&
      one(aws_vpc_security_group_ingress_rule.from_cloudfront).cidr_ipv4 == null &&
      one(aws_vpc_security_group_ingress_rule.from_cloudfront).from_port == 80 &&
      one(aws_vpc_security_group_ingress_rule.from_cloudfront).to_port == 80 &&
      data.aws_ec2_managed_prefix_list.cloudfront.name == "com.amazonaws.global.cloudfront.origin-facing" &&
      length(aws_vpc_security_group_ingress_rule.from_everywhere) == 0
    )
    error_message = "CloudFront comes in, to the listener's port, and nobody else."
  }

  assert {
    condition = (
      one(one(aws_cloudfront_vpc_origin.main).vpc_origin_endpoint_config).arn == aws_lb.main.arn &&
      one(one(aws_cloudfront_vpc_origin.main).vpc_origin_endpoint_config).origin_protocol_policy == "http-only" &&
      one([for origin in aws_cloudfront_distribution.main.origin : one(origin.vpc_origin_config).vpc_origin_id if origin.origin_id == "api"]) == one(aws_cloudfront_vpc_origin.main).id
    )
    error_message = "It comes in through a VPC origin."
  }
}

run "paths_find_their_way" {
  module {
    source = "./modules/edge"
  }

  assert {
    condition = [for behaviour in aws_cloudfront_distribution.main.ordered_cache_behavior : behaviour.path_pattern] == [
      "/v1/accounting*",
      "/v1/inventory*",
      "/v1/orders*",
      "/v1*",
    ]
    error_message = "The services' paths, before what nobody has."
  }

  assert {
    condition = alltrue([
      for behaviour in aws_cloudfront_distribution.main.ordered_cache_behavior :
      behaviour.target_origin_id == "api" &&
      behaviour.viewer_protocol_policy == "https-only" &&
      contains(behaviour.allowed_methods, "POST") && contains(behaviour.allowed_methods, "DELETE") &&
      behaviour.cache_policy_id == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad" # CachingDisabled
    ])
    error_message = "The API is encrypted, takes every method, and is never kept."
  }

  assert {
    condition = alltrue([
      for behaviour in slice(aws_cloudfront_distribution.main.ordered_cache_behavior, 0, 3) :
      behaviour.origin_request_policy_id == "216adef6-5c7f-47e4-b989-5492eafa07d3" && # AllViewer
      length(behaviour.function_association) == 0
    ])
    error_message = "Everything that was sent is passed on, the token above all."
  }

  assert {
    condition = (
      one(aws_cloudfront_distribution.main.ordered_cache_behavior[3].function_association).function_arn == aws_cloudfront_function.main["nowhere"].arn &&
      strcontains(aws_cloudfront_function.main["nowhere"].code, "application/problem+json") &&
      strcontains(aws_cloudfront_function.main["nowhere"].code, "statusCode: 404")
    )
    error_message = "What nobody has is a problem."
  }

  assert {
    condition = (
      one(aws_lb_listener.main.default_action).type == "fixed-response" &&
      one(one(aws_lb_listener.main.default_action).fixed_response).status_code == "404" &&
      jsondecode(one(one(aws_lb_listener.main.default_action).fixed_response).message_body).code == "not_found"
    )
    error_message = "The balancer sends nothing to a service by default."
  }

  assert {
    condition = (
      one(aws_cloudfront_distribution.main.default_cache_behavior).target_origin_id == "console" &&
      one(aws_cloudfront_distribution.main.default_cache_behavior).viewer_protocol_policy == "redirect-to-https" &&
      one(one(aws_cloudfront_distribution.main.default_cache_behavior).function_association).function_arn == aws_cloudfront_function.main["console-pages"].arn &&
      one([for origin in aws_cloudfront_distribution.main.origin : origin.origin_access_control_id if origin.origin_id == "console"]) == aws_cloudfront_origin_access_control.console.id &&
      length(aws_cloudfront_distribution.main.custom_error_response) == 0
    )
    error_message = "The rest is the console; its pages are made by a function, since CloudFront's own error pages would replace the API's problems too."
  }

  assert {
    # lifecycle.py keeps connections for 75 s.
    condition     = aws_lb.main.idle_timeout < 75 && local.timeouts.keepalive_s < aws_lb.main.idle_timeout && local.timeouts.read_s >= 30 && aws_lb.main.drop_invalid_header_fields
    error_message = "Whoever is nearer to the client lets go first, and a held answer is waited for."
  }
}

run "cloudfront_has_its_own_name_at_first" {
  module {
    source = "./modules/edge"
  }

  assert {
    condition     = output.url == "https://mock.cloudfront.net" && one(aws_cloudfront_distribution.main.viewer_certificate).cloudfront_default_certificate
    error_message = "HTTPS without a domain."
  }
}

run "headers_keep_browsers_safe" {
  module {
    source = "./modules/edge"
  }

  assert {
    condition = alltrue([
      for policy in aws_cloudfront_response_headers_policy.main :
      one(one(policy.security_headers_config).strict_transport_security).access_control_max_age_sec >= 31536000 &&
      one(one(policy.security_headers_config).frame_options).frame_option == "DENY" &&
      length(one(policy.security_headers_config).content_type_options) == 1
    ])
    error_message = "HTTPS for a year, no frames, no guessing of types."
  }

  assert {
    condition     = one(one(aws_cloudfront_response_headers_policy.main["console"].security_headers_config).content_security_policy).content_security_policy == "default-src 'self'; connect-src 'self' https://sign-in.example; img-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    error_message = "The console loads what is its own, and talks to us and to where people sign in."
  }

  assert {
    condition = (
      one(aws_cloudfront_distribution.main.default_cache_behavior).response_headers_policy_id == aws_cloudfront_response_headers_policy.main["console"].id &&
      alltrue([for behaviour in aws_cloudfront_distribution.main.ordered_cache_behavior : behaviour.response_headers_policy_id == aws_cloudfront_response_headers_policy.main["api"].id])
    )
    error_message = "Every answer has them."
  }
}

run "the_wall_turns_away" {
  module {
    source = "./modules/edge"
  }

  assert {
    condition     = keys(aws_wafv2_web_acl.main) == ["cloudfront"] && aws_wafv2_web_acl.main["cloudfront"].scope == "CLOUDFRONT" && aws_wafv2_web_acl.main["cloudfront"].region == "us-east-1" && aws_cloudfront_distribution.main.web_acl_id == aws_wafv2_web_acl.main["cloudfront"].arn
    error_message = "It stands before CloudFront."
  }

  assert {
    condition = { for rule in aws_wafv2_web_acl.main["cloudfront"].rule : rule.name => rule.priority } == {
      AWSManagedRulesAmazonIpReputationList = 0
      AWSManagedRulesCommonRuleSet          = 1
      AWSManagedRulesKnownBadInputsRuleSet  = 2
      exempt                                = 10
      rate                                  = 11
    }
    error_message = "The managed rules hold for everybody, the limit not for who is exempt."
  }

  assert {
    condition = one([
      for rule in aws_wafv2_web_acl.main["cloudfront"].rule :
      toset([for override in one(one(rule.statement).managed_rule_group_statement).rule_action_override : override.name])
      if rule.name == "AWSManagedRulesCommonRuleSet"
    ]) == toset(["NoUserAgent_HEADER", "SizeRestrictions_BODY", "SizeRestrictions_QUERYSTRING"])
    error_message = "Large batches, long lists of ids and machines without a user agent pass, and no rule else is softened."
  }

  assert {
    condition = alltrue([
      for rule in aws_wafv2_web_acl.main["cloudfront"].rule :
      length(one(rule.override_action).none) == 1 && length(one(rule.override_action).count) == 0
      if startswith(rule.name, "AWSManagedRules")
    ])
    error_message = "Managed rules block."
  }

  assert {
    condition = one([
      for rule in aws_wafv2_web_acl.main["cloudfront"].rule :
      one(one(rule.statement).rate_based_statement).limit == 10000 &&
      one(one(rule.statement).rate_based_statement).aggregate_key_type == "IP" &&
      one(one(one(rule.action).block).custom_response).response_code == 429
      if rule.name == "rate"
    ])
    error_message = "Each client has its limit, and is told so with 429."
  }

  assert {
    condition     = aws_wafv2_ip_set.exempt["cloudfront"].addresses == toset(["198.51.100.7/32"])
    error_message = "Nobody is exempt but who was named."
  }

  assert {
    condition = (
      one(aws_wafv2_web_acl_logging_configuration.main["cloudfront"].log_destination_configs) == aws_cloudwatch_log_group.waf["cloudfront"].arn &&
      startswith(aws_cloudwatch_log_group.waf["cloudfront"].name, "aws-waf-logs-") &&
      one(one(aws_wafv2_web_acl_logging_configuration.main["cloudfront"].redacted_fields).single_header).name == "authorization"
    )
    error_message = "Who was turned away is written down, without the token."
  }
}

run "what_is_stored_is_closed_and_encrypted" {
  module {
    source = "./modules/edge"
  }

  assert {
    condition = keys(aws_s3_bucket.main) == ["console", "logs"] && alltrue([
      for name in keys(aws_s3_bucket.main) :
      aws_s3_bucket_public_access_block.main[name].block_public_acls &&
      aws_s3_bucket_public_access_block.main[name].block_public_policy &&
      aws_s3_bucket_public_access_block.main[name].ignore_public_acls &&
      aws_s3_bucket_public_access_block.main[name].restrict_public_buckets &&
      one(aws_s3_bucket_ownership_controls.main[name].rule).object_ownership == "BucketOwnerEnforced" &&
      one(one(aws_s3_bucket_server_side_encryption_configuration.main[name].rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256" &&
      one(data.aws_iam_policy_document.encrypted[name].statement).effect == "Deny" &&
      one(one(data.aws_iam_policy_document.encrypted[name].statement).condition).variable == "aws:SecureTransport"
    ])
    error_message = "No bucket is public, unencrypted, or spoken to in the clear."
  }

  assert {
    condition = (
      one(one(data.aws_iam_policy_document.console.statement).principals).identifiers == toset(["cloudfront.amazonaws.com"]) &&
      one(data.aws_iam_policy_document.console.statement).actions == toset(["s3:GetObject", "s3:ListBucket"]) &&
      one(one(data.aws_iam_policy_document.console.statement).condition).variable == "aws:SourceArn" &&
      toset(one(one(data.aws_iam_policy_document.console.statement).condition).values) == toset([aws_cloudfront_distribution.main.arn])
    )
    error_message = "Only our distribution reads the console's files."
  }

  assert {
    condition = { for statement in data.aws_iam_policy_document.logs.statement : one(one(statement.principals).identifiers) => { actions = statement.actions, resources = statement.resources } } == {
      "logdelivery.elasticloadbalancing.amazonaws.com" = {
        actions   = toset(["s3:PutObject"])
        resources = toset(["arn:aws:s3:::mock/balancer/AWSLogs/123456789012/*"])
      }
      "delivery.logs.amazonaws.com" = {
        actions   = toset(["s3:PutObject"])
        resources = toset(["arn:aws:s3:::mock/cloudfront/AWSLogs/123456789012/*"])
      }
    }
    error_message = "AWS writes access logs of this account, each to its place."
  }

  assert {
    condition = (
      one(aws_lb.main.access_logs).enabled &&
      one(aws_lb.main.access_logs).bucket == aws_s3_bucket.main["logs"].bucket &&
      aws_cloudwatch_log_delivery_source.cloudfront.resource_arn == aws_cloudfront_distribution.main.arn &&
      aws_cloudwatch_log_delivery_source.cloudfront.region == "us-east-1" &&
      aws_cloudwatch_log_delivery.cloudfront.delivery_destination_arn == aws_cloudwatch_log_delivery_destination.cloudfront.arn &&
      one([for rule in aws_s3_bucket_lifecycle_configuration.logs.rule : one(rule.expiration).days]) == 30
    )
    error_message = "Requests are written down, and forgotten after a while."
  }

  assert {
    condition     = aws_lb.main.enable_deletion_protection && alltrue([for bucket in aws_s3_bucket.main : bucket.force_destroy == false])
    error_message = "What is protected is not destroyed by accident."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.balancer_errors.metric_name == "HTTPCode_ELB_5XX_Count" && aws_cloudwatch_metric_alarm.balancer_errors.alarm_actions == toset([var.alarm_topic_arn])
    error_message = "Somebody hears of errors that no service counts."
  }
}

run "what_is_not_protected_can_be_destroyed" {
  command = plan

  module {
    source = "./modules/edge"
  }

  variables {
    protect = false
  }

  assert {
    condition     = !aws_lb.main.enable_deletion_protection && alltrue([for bucket in aws_s3_bucket.main : bucket.force_destroy])
    error_message = "Nothing is in the way of terraform destroy."
  }
}

run "certificates_encrypt_all_the_way" {
  module {
    source = "./modules/edge"
  }

  variables {
    domain_names    = ["orderly.example.com"]
    certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/edge"
    load_balancer = {
      public          = false
      certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/balancer"
    }
  }

  assert {
    condition = (
      output.url == "https://orderly.example.com" &&
      aws_cloudfront_distribution.main.aliases == toset(["orderly.example.com"]) &&
      one(aws_cloudfront_distribution.main.viewer_certificate).acm_certificate_arn == var.certificate_arn &&
      one(aws_cloudfront_distribution.main.viewer_certificate).minimum_protocol_version == "TLSv1.2_2021"
    )
    error_message = "Under our name, with our certificate, and TLS 1.2 at least."
  }

  assert {
    condition = (
      aws_lb_listener.main.protocol == "HTTPS" &&
      aws_lb_listener.main.port == 443 &&
      startswith(aws_lb_listener.main.ssl_policy, "ELBSecurityPolicy-TLS13-1-2") &&
      one(one(aws_cloudfront_vpc_origin.main).vpc_origin_endpoint_config).origin_protocol_policy == "https-only" &&
      one(aws_vpc_security_group_ingress_rule.from_cloudfront).from_port == 443
    )
    error_message = "CloudFront speaks TLS to the balancer too."
  }
}

run "a_public_balancer_has_a_wall_of_its_own" {
  module {
    source = "./modules/edge"
  }

  variables {
    domain_names    = ["orderly.example.com"]
    certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/edge"
    load_balancer = {
      public          = true
      certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/balancer"
    }
  }

  assert {
    condition = (
      !aws_lb.main.internal &&
      aws_lb.main.subnets == toset(var.network.public_subnet_ids) &&
      length(aws_vpc_security_group_ingress_rule.from_cloudfront) == 0 &&
      one(aws_vpc_security_group_ingress_rule.from_everywhere).from_port == 443 &&
      one(aws_vpc_security_group_ingress_rule.from_everywhere).to_port == 443
    )
    error_message = "It is reached by TLS only."
  }

  assert {
    condition = (
      aws_wafv2_web_acl.main["balancer"].scope == "REGIONAL" &&
      one(aws_wafv2_web_acl_association.balancer).resource_arn == aws_lb.main.arn &&
      one(aws_wafv2_web_acl_association.balancer).web_acl_arn == aws_wafv2_web_acl.main["balancer"].arn &&
      length(aws_wafv2_web_acl.main["balancer"].rule) == length(aws_wafv2_web_acl.main["cloudfront"].rule)
    )
    error_message = "Whoever comes past CloudFront meets the same wall."
  }

  assert {
    condition     = aws_wafv2_ip_set.exempt["balancer"].addresses == toset(["198.51.100.7/32", "203.0.113.0/24"])
    error_message = "What CloudFront counted already is not counted again."
  }

  assert {
    condition = (
      length(aws_cloudfront_vpc_origin.main) == 0 &&
      one([for origin in aws_cloudfront_distribution.main.origin : one(origin.custom_origin_config).origin_protocol_policy if origin.origin_id == "api"]) == "https-only"
    )
    error_message = "CloudFront comes by the same door."
  }
}

run "nothing_public_without_a_certificate" {
  command = plan

  module {
    source = "./modules/edge"
  }

  variables {
    load_balancer = {
      public = true
    }
  }

  expect_failures = [var.load_balancer]
}
