variable "name" {
  description = "What the roles' names begin with."
  type        = string
}

variable "what" {
  description = "Whose roles they are, in words."
  type        = string
}

variable "platform" {
  description = "Where the tasks run, and the ARN of the policy that roles do not get beyond; null for none."
  type = object({
    region               = string
    account_id           = string
    permissions_boundary = optional(string)
  })
}

variable "log_group_arn" {
  description = "Where the tasks' logs go."
  type        = string
}

variable "repository_arn" {
  description = "Where the tasks' image is."
  type        = string
}

variable "secret_arns" {
  description = "The secrets that ECS hands to the tasks."
  type        = list(string)
}
