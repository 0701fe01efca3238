variable "service" {
  description = "Which of the services it is: orders, inventory or accounting. Its settings' prefix, its path and its Python package follow from it."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+$", var.service))
    error_message = "service is one lower-case word."
  }
}

variable "platform" {
  description = <<-EOT
    What is the same for all services.
    name: what the environment is called by. region, account_id: where its topic, its queues and its logs are.
    network: where tasks run, whether they get public addresses, and where they may go on 443 besides their database: null for everywhere, as AWS's addresses cannot be listed, or the interface endpoints and S3.
    load_balancer: whose listener sends requests here; arn_suffix is for metrics.
    token_issuer: whose tokens the balancer asks for before a request gets here. null: it asks nobody, as the service verifies tokens itself.
    database_security_group_id: admits the tasks, by a rule made here. master_secret_arn: for the migrate container alone, which makes the database and its role on the first run.
    issuers: JSON list of those whose tokens are accepted, as the services' settings read it.
    spot_weight: of the tasks beyond the minimum, how many run on Spot for each one that does not.
    deployment: CANARY or ROLLING, the canary's share of the traffic, and how long alarms are watched at it and after it.
    trace_sampling: the share of requests that leave a trace in X-Ray.
    debug: allow `aws ecs execute-command` into tasks.
    permissions_boundary: ARN of the policy that roles do not get beyond; null for none.
  EOT
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
      reaches = optional(object({
        endpoint_security_group_id = string
        prefix_list_id             = string
      }))
    })
    load_balancer = object({
      listener_arn      = string
      arn_suffix        = string
      security_group_id = string
    })
    token_issuer = optional(object({
      issuer   = string
      jwks_url = string
    }))
    database_security_group_id = string
    master_secret_arn          = string
    issuers                    = string
    cpu_architecture           = string
    spot_weight                = number
    deployment = object({
      strategy       = string
      canary_percent = number
      bake_minutes   = number
    })
    alarm_topic_arn      = string
    log_retention_days   = number
    debug                = bool
    trace_sampling       = number
    permissions_boundary = optional(string)
  })

  validation {
    condition     = contains(["CANARY", "ROLLING"], var.platform.deployment.strategy)
    error_message = "strategy is CANARY or ROLLING."
  }

  validation {
    condition     = var.platform.token_issuer == null || var.platform.deployment.strategy == "ROLLING"
    error_message = "A canary turns the weights of one rule only, and the paths without tokens are others."
  }
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

variable "size" {
  description = <<-EOT
    cpu, memory: of a task, in units (1024 are a processor) and MiB.
    tasks: how many at least and at most.
    requests_per_task: a minute, that one task takes with ease: more tasks are started above it.
    seconds_per_message: that one task takes for a message, of up to a hundred events.
    slow_after_s: a p95 of the answers above this is an alarm, and sends a deployment back.
  EOT
  type = object({
    cpu    = number
    memory = number
    tasks = object({
      min = number
      max = number
    })
    requests_per_task   = number
    seconds_per_message = number
    slow_after_s        = number
  })

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096, 8192, 16384], var.size.cpu)
    error_message = "Fargate has 256, 512, 1024, 2048, 4096, 8192 and 16384 units of cpu."
  }

  validation {
    condition = (
      var.size.cpu == 256 ? contains([512, 1024, 2048], var.size.memory) :
      var.size.memory % 1024 == 0 && var.size.memory >= var.size.cpu * 2 && var.size.memory <= var.size.cpu * 8
    )
    error_message = "Fargate has twice to eight times the units of cpu, in steps of 1024 MiB; 512, 1024 or 2048 for 256 units."
  }

  validation {
    # Backlog and requests are counted per task: from none, nothing would ever grow.
    condition     = var.size.tasks.min >= 1 && var.size.tasks.max >= var.size.tasks.min
    error_message = "tasks: at least one, and no maximum below the minimum."
  }

  validation {
    condition     = var.size.requests_per_task > 0 && var.size.seconds_per_message > 0 && var.size.slow_after_s > 0
    error_message = "requests_per_task, seconds_per_message and slow_after_s are more than 0."
  }
}

variable "priority" {
  description = "The place of its rule on the listener. Changing it replaces the rule under a running service."
  type        = number
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

  validation {
    condition     = endswith(var.database.connect_arn, "/${var.database.role}")
    error_message = "A service logs in as the role that it may log in as."
  }
}

variable "topic" {
  description = "Where the service announces."
  type = object({
    arn  = string
    name = string
  })

  validation {
    condition     = endswith(var.topic.name, "-${var.service}")
    error_message = "A service announces on its own topic."
  }
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

  validation {
    condition     = alltrue([for name in keys(var.queues) : can(regex("^[a-z]+-${var.service}-", name))])
    error_message = "A service listens to its own queues, which have its name before whom it hears."
  }

  validation {
    condition     = length(var.queues) > 0 && alltrue([for queue in values(var.queues) : queue.age_target_s > 0])
    error_message = "A service listens to something, and tolerates some age of it."
  }
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
