# The console's files, which only CloudFront reads, and the access logs, which only AWS
# writes.

locals {
  log_prefixes = {
    balancer   = "balancer"
    cloudfront = "cloudfront"
  }
}

resource "aws_s3_bucket" "main" {
  #checkov:skip=CKV2_AWS_6: Both have it, by for_each.
  #checkov:skip=CKV_AWS_21: Logs are written once; the console has versions.
  for_each = toset(["console", "logs"])

  bucket        = "${var.name}-${each.key}-${var.account_id}-${var.region}"
  force_destroy = !var.protect
}

resource "aws_s3_bucket_public_access_block" "main" {
  for_each = aws_s3_bucket.main

  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "main" {
  for_each = aws_s3_bucket.main

  bucket = each.value.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

# S3's own key: load balancers cannot write logs under another.
resource "aws_s3_bucket_server_side_encryption_configuration" "main" {
  for_each = aws_s3_bucket.main

  bucket = each.value.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

# A console that was overwritten by a bad one can be had again.
resource "aws_s3_bucket_versioning" "console" {
  bucket = aws_s3_bucket.main["console"].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "console" {
  bucket = aws_s3_bucket.main["console"].id

  rule {
    id     = "forget earlier versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 30
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  depends_on = [aws_s3_bucket_versioning.console]
}

resource "aws_s3_bucket_lifecycle_configuration" "logs" {
  bucket = aws_s3_bucket.main["logs"].id

  rule {
    id     = "forget"
    status = "Enabled"

    filter {}

    expiration {
      days = var.log_retention_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

# Two and not one for each bucket: the console's waits for the distribution, which waits
# for the balancer, which waits for the logs'.
resource "aws_s3_bucket_policy" "console" {
  bucket = aws_s3_bucket.main["console"].id
  policy = data.aws_iam_policy_document.console.json

  depends_on = [aws_s3_bucket_public_access_block.main]
}

resource "aws_s3_bucket_policy" "logs" {
  bucket = aws_s3_bucket.main["logs"].id
  policy = data.aws_iam_policy_document.logs.json

  depends_on = [aws_s3_bucket_public_access_block.main]
}

data "aws_iam_policy_document" "encrypted" {
  for_each = aws_s3_bucket.main

  # Stars in a denial: nobody does anything without TLS.
  statement {
    sid     = "OnlyEncrypted"
    effect  = "Deny"
    actions = ["s3:*"]
    resources = [
      each.value.arn,
      "${each.value.arn}/*",
    ]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

data "aws_iam_policy_document" "console" {
  source_policy_documents = [data.aws_iam_policy_document.encrypted["console"].json]

  # Listing, so that a file that is not there is 404 and not 403. The star is the files.
  statement {
    sid = "ReadByCloudFront"
    actions = [
      "s3:GetObject",
      "s3:ListBucket",
    ]
    resources = [
      aws_s3_bucket.main["console"].arn,
      "${aws_s3_bucket.main["console"].arn}/*",
    ]

    principals {
      type        = "Service"
      identifiers = ["cloudfront.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudfront_distribution.main.arn]
    }
  }
}

# The stars are the log files, which AWS names by time.
data "aws_iam_policy_document" "logs" {
  source_policy_documents = [data.aws_iam_policy_document.encrypted["logs"].json]

  statement {
    sid       = "WriteByBalancer"
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.main["logs"].arn}/${local.log_prefixes.balancer}/AWSLogs/${var.account_id}/*"]

    principals {
      type        = "Service"
      identifiers = ["logdelivery.elasticloadbalancing.amazonaws.com"]
    }
  }

  statement {
    sid       = "WriteByCloudFront"
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.main["logs"].arn}/${local.log_prefixes.cloudfront}/AWSLogs/${var.account_id}/*"]

    principals {
      type        = "Service"
      identifiers = ["delivery.logs.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:aws:logs:us-east-1:${var.account_id}:delivery-source:*"]
    }
  }
}
