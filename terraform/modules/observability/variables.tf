variable "name" {
  description = "What its environment is called by."
  type        = string
}

variable "region" {
  description = "Where it is."
  type        = string
}

variable "account_id" {
  description = "Whose it is."
  type        = string
}

variable "email" {
  description = "Who is told of alarms; has to confirm once. null: nobody."
  type        = string
  default     = null

  validation {
    condition     = var.email == null || can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", var.email))
    error_message = "email is an address, like ops@example.com."
  }
}

variable "trace_sampling" {
  description = "The share of requests that leave a trace. 0: traces go nowhere."
  type        = number

  validation {
    condition     = var.trace_sampling >= 0 && var.trace_sampling <= 1
    error_message = "trace_sampling is from 0 to 1."
  }
}

variable "cluster_name" {
  description = "The ECS cluster."
  type        = string
}

variable "load_balancer_arn_suffix" {
  description = "Of the load balancer, in metrics."
  type        = string
}

variable "database" {
  description = "The cluster's identifier, in metrics."
  type        = string
}

variable "database_max_capacity" {
  description = "Its capacity units at most, to read the chart by."
  type        = number
}

variable "services" {
  description = "What each service is called in metrics. target_group_suffixes: both of them are the service. queues: with where their dead letters go."
  type = map(object({
    service_name          = string
    target_group_suffixes = list(string)
    queues = list(object({
      name        = string
      dead_letter = string
    }))
  }))
}

variable "systems" {
  description = "The names of each part's alarms."
  type        = map(list(string))

  validation {
    condition     = alltrue([for alarms in values(var.systems) : length(alarms) > 0])
    error_message = "A part without an alarm would always be well."
  }
}

variable "metrics_namespace" {
  description = "Where the services' own metrics are."
  type        = string
  default     = "Orderly"
}

variable "own_metrics" {
  description = "Charts of the services' own metrics, by the names of docs/metrics.md."
  type = list(object({
    title    = string
    stat     = string
    services = list(string)
    metrics  = list(string)
  }))
  default = []
}

variable "own_alarms" {
  description = "What must not happen at all, by the services' own metrics: somebody is told what it says."
  type = map(object({
    service = string
    metric  = string
    stat    = string
    says    = string
  }))
  default = {}
}
