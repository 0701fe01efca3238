# The console's files, as they are in the repository, and where it finds people's names.
# They change with the version that is deployed; browsers ask each time whether they did.

locals {
  console_folder = "${path.module}/../console"

  content_types = {
    css  = "text/css; charset=utf-8"
    html = "text/html; charset=utf-8"
    js   = "text/javascript; charset=utf-8"
    svg  = "image/svg+xml"
    txt  = "text/plain; charset=utf-8"
  }

  # All but what is written for people, and what is written below. Of a kind that is not
  # above, the plan says so.
  console_files = [
    for file in fileset(local.console_folder, "**") : file
    if !contains(["README.md", "config.json"], basename(file))
  ]

  # Not the file of the repository, which has people paste a token.
  console_sign_in = {
    by        = "code"
    origin    = "https://${module.identity.domain}"
    client_id = module.identity.console_client_id
    scopes    = concat(["openid", "email"], [for scope in keys(jsondecode(file("${path.module}/scopes.json"))) : "orderly/${scope}"])
  }
}

resource "aws_s3_object" "console" {
  for_each = toset(local.console_files)

  bucket        = module.edge.console_bucket.name
  key           = each.value
  source        = "${local.console_folder}/${each.value}"
  source_hash   = filemd5("${local.console_folder}/${each.value}")
  content_type  = local.content_types[reverse(split(".", each.value))[0]]
  cache_control = "no-cache"
}

resource "aws_s3_object" "console_config" {
  bucket        = module.edge.console_bucket.name
  key           = "config.json"
  content       = jsonencode({ sign_in = local.console_sign_in })
  content_type  = "application/json"
  cache_control = "no-cache"
}
