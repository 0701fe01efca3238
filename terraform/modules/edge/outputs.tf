output "url" {
  description = "Where everything is reached: the first of our names, or CloudFront's own."
  value       = "https://${try(var.domain_names[0], aws_cloudfront_distribution.main.domain_name)}"
}

output "distribution" {
  description = "Of CloudFront: what to invalidate, and what a DNS record of our names points to."
  value = {
    id             = aws_cloudfront_distribution.main.id
    arn            = aws_cloudfront_distribution.main.arn
    domain_name    = aws_cloudfront_distribution.main.domain_name
    hosted_zone_id = aws_cloudfront_distribution.main.hosted_zone_id
  }
}

output "console_bucket" {
  description = "Where the console's files go."
  value = {
    name = aws_s3_bucket.main["console"].bucket
    arn  = aws_s3_bucket.main["console"].arn
  }
}

output "load_balancer" {
  description = "What services put their rules on."
  value = {
    arn_suffix        = aws_lb.main.arn_suffix
    dns_name          = aws_lb.main.dns_name
    listener_arn      = aws_lb_listener.main.arn
    security_group_id = aws_security_group.balancer.id
  }
}

output "alarm_names" {
  description = "By what each alarm says."
  value       = { balancer_errors = aws_cloudwatch_metric_alarm.balancer_errors.alarm_name }
}
