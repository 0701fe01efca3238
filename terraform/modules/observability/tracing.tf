# Where traces go. Tasks send spans to X-Ray by OTLP, signed with their role: no collector
# beside each of them. X-Ray keeps them as logs, which is $0.35 a GB where a trace used to
# be $5 a million. It is a switch of the account in this region, as one environment is.

locals {
  traced = var.trace_sampling > 0 ? 1 : 0
}

data "aws_iam_policy_document" "spans" {
  statement {
    sid     = "KeepSpans"
    actions = ["logs:PutLogEvents"]
    resources = [
      for group in ["aws/spans", "/aws/application-signals/data"] :
      "arn:aws:logs:${var.region}:${var.account_id}:log-group:${group}:*"
    ]

    principals {
      type        = "Service"
      identifiers = ["xray.amazonaws.com"]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:aws:xray:${var.region}:${var.account_id}:*"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }
  }
}

resource "aws_cloudwatch_log_resource_policy" "spans" {
  count = local.traced

  policy_name     = "${var.name}-spans"
  policy_document = data.aws_iam_policy_document.spans.json
}

resource "aws_xray_trace_segment_destination" "spans" {
  count = local.traced

  destination = "CloudWatchLogs"

  depends_on = [aws_cloudwatch_log_resource_policy.spans]
}
