# This file is maintained automatically by "terraform init".
# Manual edits may be lost in future updates.

provider "registry.terraform.io/hashicorp/aws" {
  version     = "6.62.0"
  constraints = "~> 6.62"
  hashes = [
    "h1:lKHhEmLHHPfSam5D1CJmbYvJog7tNQWDOD6ZFFyx8lo=",
  ]
}
