variable "service" {
  description = "Which of the services it is: orders, inventory or accounting. Its settings' prefix, its path and its Python package follow from it."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+$", var.service))
    error_message = "service is one lower-case word."
  }
}

variable "name" {
  description = "What its environment is called by."
  type        = string
}

variable "region" {
  description = "Where its topic, its queues and its logs are."
  type        = string
}

variable "account_id" {
  description = "Whose topic and queues they are."
  type        = string
}

variable "cluster" {
  description = "The ECS cluster."
  type = object({
    arn  = string
    name = string
  })
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "subnet_ids" {
  description = "Where tasks run."
  type        = list(string)
}

variable "public_ip" {
  description = "Give each task a public address, which it needs in a public subnet to reach AWS."
  type        = bool
}

variable "reaches" {
  description = "Where tasks may go on 443 besides their database: null for everywhere, as AWS's addresses cannot be listed, or the interface endpoints and S3."
  type = object({
    endpoint_security_group_id = string
    prefix_list_id             = string
  })
  default = null
}

variable "image" {
  description = "uri: with its digest, so that what runs is what was planned. repository_arn: where ECS may fetch it."
  type = object({
    uri            = string
    repository_arn = string
  })

  validation {
    condition     = strcontains(var.image.uri, "@")
    error_message = "The image is named by its digest: a tag says not what runs."
  }
}

variable "cpu_architecture" {
  description = "ARM64 or X86_64: what the image was built for."
  type        = string
}

variable "cpu" {
  description = "Of a task, in units: 1024 are a processor."
  type        = number

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096, 8192, 16384], var.cpu)
    error_message = "Fargate has 256, 512, 1024, 2048, 4096, 8192 and 16384 units."
  }
}

variable "memory" {
  description = "Of a task, in MiB."
  type        = number

  validation {
    condition = (
      var.cpu == 256 ? contains([512, 1024, 2048], var.memory) :
      var.memory % 1024 == 0 && var.memory >= var.cpu * 2 && var.memory <= var.cpu * 8
    )
    error_message = "Fargate has twice to eight times the processor's units, in steps of 1024; 512, 1024 or 2048 for 256 units."
  }
}

variable "tasks" {
  description = "How many at least and at most."
  type = object({
    min = number
    max = number
  })

  validation {
    # Backlog and requests are counted per task: from none, nothing would ever grow.
    condition     = var.tasks.min >= 1 && var.tasks.max >= var.tasks.min
    error_message = "At least one task, and no maximum below the minimum."
  }
}

variable "spot_weight" {
  description = "Of the tasks beyond the minimum, how many on Spot for each one that is not."
  type        = number
}

variable "requests_per_task" {
  description = "A minute, that one task takes with ease: more tasks are started above it."
  type        = number

  validation {
    condition     = var.requests_per_task > 0
    error_message = "requests_per_task is more than 0."
  }
}

variable "seconds_per_message" {
  description = "That one task takes for a message, of up to a hundred events."
  type        = number

  validation {
    condition     = var.seconds_per_message > 0
    error_message = "seconds_per_message is more than 0."
  }
}

variable "slow_after_s" {
  description = "A p95 of the answers above this is an alarm, and sends a deployment back."
  type        = number

  validation {
    condition     = var.slow_after_s > 0
    error_message = "slow_after_s is more than 0."
  }
}

variable "load_balancer" {
  description = "Whose listener sends requests here, and in which place of its rules. arn_suffix is for metrics."
  type = object({
    listener_arn      = string
    arn_suffix        = string
    security_group_id = string
    priority          = number
  })
}

variable "token_issuer" {
  description = "Whose tokens the load balancer asks for before a request gets here. null: it asks nobody, as the service verifies tokens itself."
  type = object({
    issuer   = string
    jwks_url = string
  })
  default = null

  validation {
    condition     = var.token_issuer == null || var.deployment.strategy == "ROLLING"
    error_message = "A canary turns the weights of one rule only, and the paths without tokens are others."
  }
}

variable "open_paths" {
  description = "Paths that need no token; they matter only to a load balancer that asks for one."
  type        = list(string)
  default     = []
}

variable "database" {
  description = "The service's own database and role. reader_host: null without a reader."
  type = object({
    host        = string
    reader_host = optional(string)
    port        = number
    name        = string
    role        = string
    connect_arn = string
  })
}

variable "database_security_group_id" {
  description = "Which admits the tasks, by a rule made here."
  type        = string
}

variable "master_secret_arn" {
  description = "The master login, for the migrate container alone: it makes the database and the role on its first run."
  type        = string
}

variable "topic" {
  description = "Where the service announces."
  type = object({
    arn  = string
    name = string
  })
}

variable "queues" {
  description = "What the service listens to, by name. age_target_s: how old a message may get."
  type = map(object({
    arn          = string
    url          = string
    name         = string
    dlq_arn      = string
    dlq_name     = string
    age_target_s = number
  }))
}

variable "issuers" {
  description = "JSON list of the issuers whose tokens are accepted, as the services' settings read it."
  type        = string
}

variable "settings" {
  description = "Further settings of the service, by name without its prefix."
  type        = map(string)
  default     = {}
}

variable "secrets" {
  description = "Settings that are secret: ARNs of Secrets Manager by name without the prefix."
  type        = map(string)
  default     = {}
}

variable "deployment" {
  description = "How a new version takes over: CANARY or ROLLING, the canary's share of the traffic, and how long alarms are watched at it and after it."
  type = object({
    strategy       = string
    canary_percent = number
    bake_minutes   = number
  })

  validation {
    condition     = contains(["CANARY", "ROLLING"], var.deployment.strategy)
    error_message = "strategy is CANARY or ROLLING."
  }
}

variable "alarm_topic_arn" {
  description = "Where alarms go."
  type        = string
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
}

variable "debug" {
  description = "Allow `aws ecs execute-command` into tasks."
  type        = bool
  default     = false
}
