provider "aws" {
  region = var.region

  default_tags {
    tags = merge(var.tags, {
      app         = var.name
      environment = var.environment
    })
  }
}

data "aws_caller_identity" "current" {}

locals {
  name = "${var.name}-${var.environment}"
}
