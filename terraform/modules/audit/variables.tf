variable "platform" {
  description = "Where it runs, as services have it."
  type = object({
    name       = string
    region     = string
    account_id = string
    cluster = object({
      arn  = string
      name = string
    })
    network = object({
      vpc_id     = string
      subnet_ids = list(string)
      public_ip  = bool
    })
    cpu_architecture     = string
    alarm_topic_arn      = string
    log_retention_days   = number
    permissions_boundary = optional(string)
  })
}

variable "image" {
  description = "The image of the `orderly` command, and the repository it is in."
  type = object({
    uri            = string
    repository_arn = string
  })
}

variable "url" {
  description = "Where Orderly is."
  type        = string
}

variable "client" {
  description = "What it asks for tokens with, and where."
  type = object({
    id        = string
    secret    = string
    token_url = string
  })
  sensitive = true
}

variable "schedule" {
  description = "When, as EventBridge Scheduler has it."
  type        = string
}

variable "patience_s" {
  description = "Seconds that orders under way may take until they agree."
  type        = number
  default     = 120
}

variable "protect" {
  description = "Keep the secret for a while after it is destroyed."
  type        = bool
}

variable "silent_hours" {
  description = "How many hours without an audit that went well are an alarm: more than the schedule lets pass. At most 168, a week."
  type        = number
}
