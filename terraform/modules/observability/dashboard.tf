# One page: is everything well, how fast is it, what waits, how full is the database. On
# AWS's own metrics; those of the services join them by own_metrics.

locals {
  chart_width  = 6 # four in a row of 24
  chart_height = 6
  first_row    = 3

  service_charts = concat([
    for service, parts in var.services : [
      {
        title = "${service}: requests and errors a minute"
        stat  = "Sum"
        metrics = concat(
          [for group in parts.target_group_suffixes : ["AWS/ApplicationELB", "RequestCount", "LoadBalancer", var.load_balancer_arn_suffix, "TargetGroup", group]],
          [for group in parts.target_group_suffixes : ["AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", "LoadBalancer", var.load_balancer_arn_suffix, "TargetGroup", group]],
        )
      },
      {
        title   = "${service}: seconds to the answer (p95)"
        stat    = "p95"
        metrics = [for group in parts.target_group_suffixes : ["AWS/ApplicationELB", "TargetResponseTime", "LoadBalancer", var.load_balancer_arn_suffix, "TargetGroup", group]]
      },
      {
        title = "${service}: seconds that messages wait; dead letters (right)"
        stat  = "Maximum"
        metrics = concat(
          [for queue in parts.queues : ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", queue.name]],
          [for queue in parts.queues : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue.dead_letter, { yAxis = "right" }]],
        )
      },
      {
        title = "${service}: processor and memory of its tasks, in percent"
        stat  = "Average"
        metrics = [
          for metric in ["CPUUtilization", "MemoryUtilization"] :
          ["AWS/ECS", metric, "ClusterName", var.cluster_name, "ServiceName", parts.service_name]
        ]
      },
    ]
  ]...)

  database_charts = [
    for chart in [
      { title = "Database: capacity units, of ${var.database_max_capacity}", stat = "Maximum", metrics = ["ServerlessDatabaseCapacity"] },
      { title = "Database: connections", stat = "Maximum", metrics = ["DatabaseConnections"] },
      { title = "Database: milliseconds of a commit", stat = "Average", metrics = ["CommitLatency"] },
      { title = "Database: I/O that is charged", stat = "Sum", metrics = ["VolumeReadIOPs", "VolumeWriteIOPs"] },
    ] : merge(chart, { metrics = [for metric in chart.metrics : ["AWS/RDS", metric, "DBClusterIdentifier", var.database]] })
  ]

  own_charts = [
    for chart in var.own_metrics : {
      title = chart.title
      stat  = chart.stat
      metrics = [
        for pair in setproduct(chart.metrics, chart.services) :
        [var.metrics_namespace, pair[0], "service", pair[1]]
      ]
    }
  ]

  charts = concat(local.service_charts, local.database_charts, local.own_charts)
}

resource "aws_cloudwatch_dashboard" "main" {
  dashboard_name = var.name

  dashboard_body = jsonencode({
    start = "-PT3H"
    widgets = concat(
      [{
        type   = "alarm"
        x      = 0
        y      = 0
        width  = 24
        height = local.first_row
        properties = {
          title  = "Is everything well?"
          alarms = [for system in sort(keys(var.systems)) : aws_cloudwatch_composite_alarm.system[system].arn]
        }
      }],
      [for place, chart in local.charts : {
        type   = "metric"
        x      = (place % 4) * local.chart_width
        y      = local.first_row + floor(place / 4) * local.chart_height
        width  = local.chart_width
        height = local.chart_height
        properties = {
          title   = chart.title
          metrics = chart.metrics
          stat    = chart.stat
          period  = 60
          region  = var.region
          view    = "timeSeries"
        }
      }],
    )
  })
}
