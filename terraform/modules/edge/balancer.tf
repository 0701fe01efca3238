# One balancer for the three services, which put their rules on its listener. Internal
# unless asked otherwise: CloudFront comes in through a VPC origin, and nobody past it.

locals {
  tls = var.load_balancer.certificate_arn != null
  listener = {
    port     = local.tls ? 443 : 80
    protocol = local.tls ? "HTTPS" : "HTTP"
  }
}

resource "aws_security_group" "balancer" {
  name        = "${var.name}-balancer"
  description = "The load balancer."
  vpc_id      = var.network.vpc_id

  tags = {
    Name = "${var.name}-balancer"
  }
}

# CloudFront's addresses towards origins. They count as 55 rules of the 60 a group may have.
data "aws_ec2_managed_prefix_list" "cloudfront" {
  name = "com.amazonaws.global.cloudfront.origin-facing"
}

resource "aws_vpc_security_group_ingress_rule" "from_cloudfront" {
  count = var.load_balancer.public ? 0 : 1

  description       = "CloudFront"
  security_group_id = aws_security_group.balancer.id
  prefix_list_id    = data.aws_ec2_managed_prefix_list.cloudfront.id
  ip_protocol       = "tcp"
  from_port         = local.listener.port
  to_port           = local.listener.port
}

# A public balancer is for everybody; it has the same web ACL as CloudFront.
resource "aws_vpc_security_group_ingress_rule" "from_everywhere" {
  count = var.load_balancer.public ? 1 : 0

  description       = "The internet"
  security_group_id = aws_security_group.balancer.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = local.listener.port
  to_port           = local.listener.port
}

resource "aws_lb" "main" {
  #checkov:skip=CKV2_AWS_76: The rules for it are among local.managed_rules, where checkov does not look.
  name                       = var.name
  load_balancer_type         = "application"
  internal                   = !var.load_balancer.public
  subnets                    = var.load_balancer.public ? var.network.public_subnet_ids : var.network.private_subnet_ids
  security_groups            = [aws_security_group.balancer.id]
  drop_invalid_header_fields = true
  enable_deletion_protection = var.protect
  # Shorter than the services keep theirs (75 s), so that no request meets a closing one.
  idle_timeout = 60

  access_logs {
    bucket  = aws_s3_bucket.main["logs"].bucket
    prefix  = local.log_prefixes.balancer
    enabled = true
  }

  depends_on = [aws_s3_bucket_policy.logs]
}

resource "aws_lb_listener" "main" {
  load_balancer_arn = aws_lb.main.arn
  port              = local.listener.port
  protocol          = local.listener.protocol
  certificate_arn   = var.load_balancer.certificate_arn
  ssl_policy        = local.tls ? "ELBSecurityPolicy-TLS13-1-2-2021-06" : null

  default_action {
    type = "fixed-response"

    # Load balancers do not know application/problem+json. Through CloudFront nothing gets
    # here, since its function answers what no service has.
    fixed_response {
      status_code  = "404"
      content_type = "application/json"
      message_body = jsonencode({
        type   = "urn:orderly:problem:not_found"
        title  = "Not found"
        status = 404
        detail = "No service has this path."
        code   = "not_found"
      })
    }
  }
}

# What the balancer says itself, for want of a task that answers: no service counts these.
resource "aws_cloudwatch_metric_alarm" "balancer_errors" {
  alarm_name          = "${var.name}-balancer-errors"
  alarm_description   = "The load balancer answers with 5xx for want of a task that does."
  comparison_operator = "GreaterThanThreshold"
  threshold           = 10
  namespace           = "AWS/ApplicationELB"
  metric_name         = "HTTPCode_ELB_5XX_Count"
  dimensions          = { LoadBalancer = aws_lb.main.arn_suffix }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]
}
