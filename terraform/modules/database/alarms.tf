# What somebody has to look at. While the cluster sleeps nothing is measured, and nothing
# is wrong.

locals {
  # AWS gives an instance some 200 connections for each unit of its maximum, up to 5000;
  # to one that may shrink to half a unit and less, up to 2000.
  max_connections = min(200 * var.capacity.max, var.capacity.min < 1 ? 2000 : 5000)

  alarms = merge(
    {
      full = {
        description = "The database has been near its ${var.capacity.max} capacity units for a quarter of an hour: raise database.max."
        metric      = "ACUUtilization"
        threshold   = var.alarms.capacity_percent
        minutes     = 15
        above       = true
      }
      connections = {
        description = "More than ${var.alarms.connections_percent} % of the database's connections are in use: fewer tasks, smaller pools or a larger database.max."
        metric      = "DatabaseConnections"
        threshold   = floor(local.max_connections * var.alarms.connections_percent / 100)
        minutes     = 5
        above       = true
      }
      local_storage = {
        description = "Little room is left for what the database sorts and for its logs: look for a large report, or raise database.max."
        metric      = "FreeLocalStorage"
        threshold   = var.alarms.free_local_storage_gib * 1024 * 1024 * 1024
        minutes     = 5
        above       = false
      }
      transaction_ids = {
        description = "VACUUM lags behind: at two thousand million the database refuses to write. Look for transactions that stay open."
        metric      = "MaximumUsedTransactionIDs"
        threshold   = var.alarms.used_transaction_ids
        minutes     = 5
        above       = true
      }
      deadlocks = {
        description = "Transactions block each other for good, again and again: they are run again, and somebody locks in another order than all others."
        metric      = "Deadlocks"
        threshold   = var.alarms.deadlocks_per_second
        minutes     = 15
        above       = true
      }
    },
    var.readers == 0 ? {} : {
      behind = {
        description = "A reader is behind the writer: lists show what was, and not what is."
        metric      = "AuroraReplicaLagMaximum"
        threshold   = var.alarms.reader_behind_s * 1000
        minutes     = 5
        above       = true
      }
    },
  )
}

resource "aws_cloudwatch_metric_alarm" "main" {
  for_each = local.alarms

  alarm_name          = "${var.name}-database-${replace(each.key, "_", "-")}"
  alarm_description   = each.value.description
  comparison_operator = each.value.above ? "GreaterThanThreshold" : "LessThanThreshold"
  threshold           = each.value.threshold
  namespace           = "AWS/RDS"
  metric_name         = each.value.metric
  dimensions          = { DBClusterIdentifier = aws_rds_cluster.main.cluster_identifier }
  statistic           = each.value.above ? "Maximum" : "Minimum"
  period              = 60
  evaluation_periods  = each.value.minutes
  datapoints_to_alarm = each.value.minutes
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]
}
