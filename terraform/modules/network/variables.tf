variable "name" {
  description = "What its parts are called by."
  type        = string
}

variable "cidr" {
  description = "The addresses of the VPC: a sixteenth for each subnet."
  type        = string
}

variable "zones" {
  description = "Over how many availability zones."
  type        = number

  validation {
    condition     = contains([2, 3], var.zones)
    error_message = "zones is 2 or 3."
  }
}

variable "egress" {
  description = "How what runs in it reaches AWS's APIs: public, nat or endpoints."
  type        = string

  validation {
    condition     = contains(["public", "nat", "endpoints"], var.egress)
    error_message = "egress is public, nat or endpoints."
  }
}

variable "endpoint_services" {
  description = "The AWS services that tasks call: each gets an interface endpoint when egress is endpoints."
  type        = set(string)
}

variable "flow_logs" {
  description = "Log refused connections."
  type        = bool
}

variable "log_retention_days" {
  description = "How long flow logs are kept."
  type        = number
}

variable "permissions_boundary" {
  description = "ARN of the policy that the role for flow logs does not get beyond; null for none."
  type        = string
  default     = null
}
