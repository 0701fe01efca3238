# Reads the configuration itself: a test of what there is finds nothing in what somebody
# adds, and a new door has to be noticed too.

locals {
  root    = "${path.module}/../.."
  files   = concat(tolist(fileset(local.root, "*.tf")), tolist(fileset(local.root, "modules/*/*.tf")))
  sources = { for file in local.files : file => file("${local.root}/${file}") }

  resources = flatten([
    for file, source in local.sources : [
      for found in regexall("(?m)^resource \"(\\w+)\" \"(\\w+)\"", source) : {
        address = "${dirname(file)} ${found[1]}"
        type    = found[0]
      }
    ]
  ])
}

output "files" {
  description = "How many files were read."
  value       = length(local.files)
}

output "doors" {
  description = "Every rule of a security group: where it is, and what it is called."
  value = sort([
    for resource in local.resources : resource.address
    if strcontains(resource.type, "security_group") && endswith(resource.type, "rule") || resource.type == "aws_network_acl_rule"
  ])
}

output "roles" {
  description = "Every role."
  value       = sort([for resource in local.resources : resource.address if resource.type == "aws_iam_role"])
}

output "permissions" {
  description = "Everything that gives somebody permissions."
  value = sort([
    for resource in local.resources : "${resource.type} ${resource.address}"
    if resource.type != "aws_iam_role" && (startswith(resource.type, "aws_iam_") || strcontains(resource.type, "_permission"))
  ])
}

output "open_to_everybody" {
  description = "Where all addresses are named."
  value       = sort(flatten([for file, source in local.sources : [for found in regexall("0\\.0\\.0\\.0/0|::/0", source) : file]]))
}

output "inline_rules" {
  description = "Files with rules inside of a security group, where nobody counts them."
  value       = sort([for file, source in local.sources : file if length(regexall("(?m)^  (?:ingress|egress)\\s*(?:{|= \\[)", source)) > 0])
}

output "untyped" {
  description = "Files with a variable that could be anything."
  value       = sort([for file, source in local.sources : file if length(regexall("(?m)^\\s*type\\s*=\\s*any|\\(any\\)", source)) > 0])
}

output "priorities" {
  description = "Of the services' rules on the listener."
  value = {
    for file, source in local.sources : file => tonumber(one(regexall("(?m)^  priority\\s*=\\s*(\\d+)", source))[0])
    if dirname(file) == "." && length(regexall("source\\s*=\\s*\"./modules/service\"", source)) > 0
  }
}
