variable "name" {
  description = "Of the user pool."
  type        = string
}

variable "region" {
  description = "Where it is."
  type        = string
}

variable "domain_prefix" {
  description = "Of the address where people sign in and clients ask for tokens; nobody else in the region may have it."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$", var.domain_prefix)) && !can(regex("aws|amazon|cognito", var.domain_prefix))
    error_message = "A prefix is up to 63 lower-case letters, digits and hyphens, and Cognito takes none with aws, amazon or cognito in it."
  }
}

variable "scopes" {
  description = "What a token may open, each with a sentence about it."
  type        = map(string)
}

variable "storefronts" {
  description = "Clients with a secret: the channels they order for, and their scopes besides."
  type = map(object({
    channels = set(string)
    scopes   = set(string)
  }))
}

variable "console_urls" {
  description = "Where the sign-in may send people back to."
  type        = list(string)

  validation {
    condition     = alltrue([for url in var.console_urls : startswith(url, "https://") || startswith(url, "http://localhost")])
    error_message = "Sign-in sends people back by https, or to localhost."
  }
}

variable "mfa" {
  description = "Ask everybody for a code of their authenticator app."
  type        = bool
}

variable "tier" {
  description = "LITE, ESSENTIALS or PLUS: what Cognito charges, and what it can do."
  type        = string
}

variable "protect" {
  description = "Refuse to be deleted."
  type        = bool
}

variable "audited" {
  description = "Whether there is an audit, which needs a client of its own."
  type        = bool
  default     = false
}
