variable "name" {
  description = "What the stack is called; the same as in the stack's own variables."
  type        = string
  default     = "orderly"

  validation {
    condition     = length(var.name) <= 12 && can(regex("^[a-z][a-z0-9-]*[a-z0-9]$", var.name))
    error_message = "name is 2 to 12 lower-case letters, digits and hyphens, from a letter on."
  }
}

variable "environment" {
  description = "Which environment lives in this account: dev or prod. GitHub's environment has the same name."
  type        = string

  validation {
    condition     = contains(["dev", "prod"], var.environment)
    error_message = "environment is dev or prod."
  }
}

variable "region" {
  description = "The region of the state bucket and of the stack."
  type        = string
  default     = "us-east-1"
}

variable "github_repository" {
  description = <<-EOT
    The repository whose workflows may plan and deploy, as the tokens of its workflows name it:
    "owner/name", or "owner@123/name@456" where GitHub adds the ids (repositories created since
    July 2026, and those that opted in). Null: no roles for GitHub.
  EOT
  type        = string
  default     = null

  validation {
    # A wildcard here would let other people's repositories in.
    condition = (
      var.github_repository == null ||
      can(regex("^[A-Za-z0-9-]+(@[0-9]+)?/[A-Za-z0-9._-]+(@[0-9]+)?$", var.github_repository))
    )
    error_message = "github_repository is owner/name or owner@id/name@id, without wildcards."
  }
}

variable "github_provider_arn" {
  description = "GitHub's OIDC provider where the account has one already (there can be only one). Null: make it."
  type        = string
  default     = null
}
