variable "name" {
  description = "Of the queue, exactly as the services look it up."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,80}$", var.name))
    error_message = "A queue's name is 1 to 80 letters, digits, hyphens and underscores."
  }
}

variable "dead_letter_name" {
  description = "Of the queue for what could not be handled."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,80}$", var.dead_letter_name))
    error_message = "A queue's name is 1 to 80 letters, digits, hyphens and underscores."
  }
}

variable "hears" {
  description = "The topic whose messages come here. null: its own service writes to it."
  # An object, since whether there is one is known before its ARN is.
  type = object({
    arn = string
  })
  default = null
}

variable "visibility_timeout_s" {
  description = "After which what a killed process had in hand comes back."
  type        = number

  validation {
    condition     = var.visibility_timeout_s >= 1 && var.visibility_timeout_s <= 43200
    error_message = "visibility_timeout_s is from 1 to 43200."
  }
}

variable "retention_s" {
  description = "For how long a message waits for somebody."
  type        = number

  validation {
    condition     = var.retention_s >= 60 && var.retention_s <= 1209600
    error_message = "retention_s is from 60 to 1209600, which are 14 days."
  }
}

variable "dead_letter_retention_s" {
  description = "For how long a dead letter is kept, counted from when it was first sent."
  type        = number

  validation {
    condition     = var.dead_letter_retention_s <= 1209600 && var.dead_letter_retention_s > var.retention_s
    error_message = "Dead letters are kept for 14 days at most, and longer than the queue keeps them: their age counts from the first sending."
  }
}

variable "max_receive_count" {
  description = "How often a message is handed out before it is put aside."
  type        = number

  validation {
    condition     = var.max_receive_count >= 1 && var.max_receive_count <= 1000
    error_message = "max_receive_count is from 1 to 1000."
  }
}
