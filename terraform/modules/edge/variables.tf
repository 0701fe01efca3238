variable "name" {
  description = "What its parts are called by."
  type        = string
}

variable "region" {
  description = "Where the load balancer and the buckets are."
  type        = string
}

variable "account_id" {
  description = "Makes the buckets' names unique in the world."
  type        = string
}

variable "network" {
  description = "The VPC, and the subnets for a load balancer that is internal or public."
  type = object({
    vpc_id             = string
    private_subnet_ids = list(string)
    public_subnet_ids  = list(string)
  })
}

variable "paths" {
  description = "What goes to the services. Anything else under /v1 is answered with 404 at once, the rest is the console."
  type        = list(string)
}

variable "domain_names" {
  description = "Names of the distribution besides CloudFront's own."
  type        = list(string)
}

variable "certificate_arn" {
  description = "For domain_names, in us-east-1."
  type        = string
}

variable "load_balancer" {
  description = "public: reached from the internet too. certificate_arn: for TLS up to it."
  type = object({
    public          = bool
    certificate_arn = optional(string)
  })

  validation {
    condition     = !var.load_balancer.public || var.load_balancer.certificate_arn != null
    error_message = "A public load balancer needs a certificate."
  }
}

variable "rate_limit" {
  description = "requests: of one address in five minutes. exempt_cidrs: addresses without that limit."
  type = object({
    requests     = number
    exempt_cidrs = list(string)
  })
}

variable "price_class" {
  description = "Which of CloudFront's locations serve."
  type        = string
}

variable "sign_in_origin" {
  description = "Where the console gets its tokens, which its content security policy has to allow."
  type        = string
}

variable "alarm_topic_arn" {
  description = "Where alarms go."
  type        = string
}

variable "log_retention_days" {
  description = "How long access logs are kept."
  type        = number
}

variable "protect" {
  description = "Keep the load balancer and what is in the buckets from being destroyed."
  type        = bool
}
