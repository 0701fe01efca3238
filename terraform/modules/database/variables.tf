variable "name" {
  description = "Of the cluster."
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

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "subnet_ids" {
  description = "Where instances run: in two zones at least, and without a way in from the internet."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "Aurora wants subnets in two zones at least."
  }
}

variable "services" {
  description = "Who has a database and a role here, both of its name."
  type        = set(string)
}

variable "postgres_version" {
  description = "The major version of PostgreSQL: 17 is what everything is tested with."
  type        = string
  default     = "17"

  validation {
    condition     = can(regex("^[0-9]+$", var.postgres_version))
    error_message = "postgres_version is a major version: AWS gives the newest minor one."
  }
}

variable "capacity" {
  description = "min, max: capacity units of an instance. pause_after_seconds: when the cluster sleeps, if min is 0."
  type = object({
    min                 = number
    max                 = number
    pause_after_seconds = number
  })

  validation {
    condition     = var.capacity.min >= 0 && var.capacity.max >= 1 && var.capacity.min <= var.capacity.max && var.capacity.max <= 256
    error_message = "min is from 0, max from 1 to 256, and min not above max."
  }

  validation {
    condition     = var.capacity.min * 2 == floor(var.capacity.min * 2) && var.capacity.max * 2 == floor(var.capacity.max * 2)
    error_message = "Capacity comes in steps of half a unit."
  }
}

variable "readers" {
  description = "Instances besides the writer."
  type        = number
}

variable "backup_days" {
  description = "For how many days any moment can be restored."
  type        = number
}

variable "io_optimized" {
  description = "Pay for more expensive capacity and storage, and not for each I/O: cheaper when I/O is more than a quarter of the cluster's bill."
  type        = bool
}

variable "performance_insights" {
  description = "Keep seven days of what the database waits for, without charge. It takes capacity itself: AWS advises a minimum of 2 units with it."
  type        = bool
}

variable "kms_key_arn" {
  description = "What storage, snapshots and insights are encrypted with; null for AWS's own key. It cannot be changed later."
  type        = string
  default     = null
}

variable "protect" {
  description = "Refuse to be deleted, and leave a snapshot and the backups behind when it is done all the same."
  type        = bool
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
}

variable "alarm_topic_arn" {
  description = "Where alarms go."
  type        = string
}

variable "alarms" {
  description = "When somebody is told: see database_alarms."
  type = object({
    capacity_percent       = number
    connections_percent    = number
    free_local_storage_gib = number
    used_transaction_ids   = number
    deadlocks_per_second   = number
    reader_behind_s        = number
  })
}
