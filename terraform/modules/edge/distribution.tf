# The one public door: the console from its bucket, and the API from the balancer under
# the same name, so that browsers need no permission to call it. HTTPS from the first
# apply, under CloudFront's own name and certificate until there is another.

locals {
  api     = "api"
  console = "console"

  # CloudFront takes these together only, or fewer that cannot write.
  everything = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
  reading    = ["GET", "HEAD"]

  # AWS's own policies, which have the same ids in every account.
  policies = {
    CachingDisabled  = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
    CachingOptimized = "658327ea-f89d-4fab-a63d-7e88639e58f6"
    AllViewer        = "216adef6-5c7f-47e4-b989-5492eafa07d3"
  }

  timeouts = {
    # A stream sends something every 15 s, and no answer is held for longer than 20 s.
    read_s = 60
    # Shorter than the balancer keeps its own, so that no request meets a closing one.
    keepalive_s = 30
  }
}

resource "aws_cloudfront_vpc_origin" "main" {
  count = var.load_balancer.public ? 0 : 1

  vpc_origin_endpoint_config {
    name                   = var.name
    arn                    = aws_lb.main.arn
    http_port              = 80
    https_port             = 443
    origin_protocol_policy = local.tls ? "https-only" : "http-only"

    origin_ssl_protocols {
      items    = ["TLSv1.2"]
      quantity = 1
    }
  }

  depends_on = [aws_lb_listener.main]
}

resource "aws_cloudfront_origin_access_control" "console" {
  name                              = "${var.name}-console"
  description                       = "CloudFront signs what it asks the bucket for."
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

resource "aws_cloudfront_function" "main" {
  for_each = {
    console-pages = "Paths without a file are the console's own."
    nowhere       = "The problem that no service has this path."
  }

  name    = "${var.name}-${each.key}"
  comment = each.value
  runtime = "cloudfront-js-2.0"
  publish = true
  code    = file("${path.module}/functions/${each.key}.js")
}

resource "aws_cloudfront_response_headers_policy" "main" {
  #checkov:skip=CKV_AWS_259: It does, for a year and for subdomains; preloading is for whoever owns the domain.
  for_each = {
    (local.api) = null
    (local.console) = join("; ", [
      "default-src 'self'",
      "connect-src 'self' ${var.sign_in_origin}",
      "img-src 'self' data:",
      "object-src 'none'",
      "base-uri 'self'",
      "form-action 'self'",
      "frame-ancestors 'none'",
    ])
  }

  name = "${var.name}-${each.key}"

  security_headers_config {
    strict_transport_security {
      access_control_max_age_sec = 31536000
      include_subdomains         = true
      override                   = true
    }

    content_type_options {
      override = true
    }

    frame_options {
      frame_option = "DENY"
      override     = true
    }

    referrer_policy {
      referrer_policy = "strict-origin-when-cross-origin"
      override        = true
    }

    # Not for the API: its services say it themselves, of their documentation another one.
    dynamic "content_security_policy" {
      for_each = each.value[*]

      content {
        content_security_policy = content_security_policy.value
        override                = true
      }
    }
  }
}

resource "aws_cloudfront_distribution" "main" {
  #checkov:skip=CKV_AWS_86: It logs by the log delivery below.
  #checkov:skip=CKV2_AWS_47: The rules for it are among local.managed_rules, where checkov does not look.
  comment             = var.name
  enabled             = true
  aliases             = var.domain_names
  default_root_object = "index.html"
  http_version        = "http2and3"
  is_ipv6_enabled     = true
  price_class         = var.price_class
  web_acl_id          = aws_wafv2_web_acl.main["cloudfront"].arn

  origin {
    origin_id                = local.console
    domain_name              = aws_s3_bucket.main["console"].bucket_regional_domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.console.id
  }

  origin {
    origin_id   = local.api
    domain_name = aws_lb.main.dns_name

    dynamic "vpc_origin_config" {
      for_each = aws_cloudfront_vpc_origin.main[*].id

      content {
        vpc_origin_id            = vpc_origin_config.value
        origin_read_timeout      = local.timeouts.read_s
        origin_keepalive_timeout = local.timeouts.keepalive_s
      }
    }

    dynamic "custom_origin_config" {
      for_each = var.load_balancer.public ? [1] : []

      content {
        http_port                = 80
        https_port               = 443
        origin_protocol_policy   = "https-only"
        origin_ssl_protocols     = ["TLSv1.2"]
        origin_read_timeout      = local.timeouts.read_s
        origin_keepalive_timeout = local.timeouts.keepalive_s
      }
    }
  }

  default_cache_behavior {
    target_origin_id           = local.console
    viewer_protocol_policy     = "redirect-to-https"
    allowed_methods            = local.reading
    cached_methods             = local.reading
    compress                   = true
    cache_policy_id            = local.policies.CachingOptimized
    response_headers_policy_id = aws_cloudfront_response_headers_policy.main[local.console].id

    function_association {
      event_type   = "viewer-request"
      function_arn = aws_cloudfront_function.main["console-pages"].arn
    }
  }

  dynamic "ordered_cache_behavior" {
    for_each = var.paths

    content {
      path_pattern               = ordered_cache_behavior.value
      target_origin_id           = local.api
      viewer_protocol_policy     = "https-only"
      allowed_methods            = local.everything
      cached_methods             = local.reading
      cache_policy_id            = local.policies.CachingDisabled
      origin_request_policy_id   = local.policies.AllViewer
      response_headers_policy_id = aws_cloudfront_response_headers_policy.main[local.api].id
    }
  }

  ordered_cache_behavior {
    path_pattern               = "/v1*"
    target_origin_id           = local.api
    viewer_protocol_policy     = "https-only"
    allowed_methods            = local.everything
    cached_methods             = local.reading
    cache_policy_id            = local.policies.CachingDisabled
    response_headers_policy_id = aws_cloudfront_response_headers_policy.main[local.api].id

    function_association {
      event_type   = "viewer-request"
      function_arn = aws_cloudfront_function.main["nowhere"].arn
    }
  }

  viewer_certificate {
    acm_certificate_arn            = var.certificate_arn
    cloudfront_default_certificate = var.certificate_arn == null
    minimum_protocol_version       = var.certificate_arn == null ? null : "TLSv1.2_2021"
    ssl_support_method             = var.certificate_arn == null ? null : "sni-only"
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }
}

# CloudFront's logs are delivered from us-east-1, wherever the bucket is.
resource "aws_cloudwatch_log_delivery_source" "cloudfront" {
  region = "us-east-1"

  name         = "${var.name}-cloudfront"
  log_type     = "ACCESS_LOGS"
  resource_arn = aws_cloudfront_distribution.main.arn
}

resource "aws_cloudwatch_log_delivery_destination" "cloudfront" {
  region = "us-east-1"

  name          = "${var.name}-cloudfront"
  output_format = "json"

  delivery_destination_configuration {
    destination_resource_arn = "${aws_s3_bucket.main["logs"].arn}/${local.log_prefixes.cloudfront}"
  }
}

resource "aws_cloudwatch_log_delivery" "cloudfront" {
  region = "us-east-1"

  delivery_source_name     = aws_cloudwatch_log_delivery_source.cloudfront.name
  delivery_destination_arn = aws_cloudwatch_log_delivery_destination.cloudfront.arn

  depends_on = [aws_s3_bucket_policy.logs]
}
