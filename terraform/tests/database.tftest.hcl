# The cluster: who gets in, what is kept, when it sleeps, and who is told.

mock_provider "aws" {
  override_during = plan

  mock_resource "aws_rds_cluster" {
    defaults = {
      arn                 = "arn:aws:rds:us-east-1:123456789012:cluster:orderly-dev"
      cluster_resource_id = "cluster-ABC"
      endpoint            = "orderly-dev.cluster-x.us-east-1.rds.amazonaws.com"
      reader_endpoint     = "orderly-dev.cluster-ro-x.us-east-1.rds.amazonaws.com"
      master_user_secret  = [{ secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds", kms_key_id = "k", secret_status = "active" }]
    }
  }

  mock_resource "aws_rds_cluster_parameter_group" {
    defaults = {
      name = "orderly-dev-1"
    }
  }

  mock_resource "aws_security_group" {
    defaults = {
      id = "sg-1"
    }
  }
}

variables {
  name       = "orderly-dev"
  region     = "us-east-1"
  account_id = "123456789012"
  vpc_id     = "vpc-1"
  subnet_ids = ["subnet-1", "subnet-2"]
  services   = ["orders", "inventory", "accounting"]
  capacity = {
    min                 = 0
    max                 = 4
    pause_after_seconds = 300
  }
  readers              = 0
  backup_days          = 7
  io_optimized         = false
  performance_insights = false
  protect              = false
  log_retention_days   = 30
  alarm_topic_arn      = "arn:aws:sns:us-east-1:123456789012:alarms"
  alarms = {
    capacity_percent       = 90
    connections_percent    = 70
    free_local_storage_gib = 1
    used_transaction_ids   = 1000000000
    deadlocks_per_second   = 0.1
    reader_behind_s        = 10
  }
}

run "a_database_to_try" {
  command = plan

  module {
    source = "./modules/database"
  }

  assert {
    condition     = aws_rds_cluster.main.engine == "aurora-postgresql" && aws_rds_cluster.main.engine_version == "17" && aws_rds_cluster_parameter_group.main.family == "aurora-postgresql17"
    error_message = "It is PostgreSQL 17."
  }

  assert {
    condition     = aws_rds_cluster.main.storage_encrypted
    error_message = "What is stored is encrypted."
  }

  assert {
    condition     = aws_rds_cluster.main.iam_database_authentication_enabled
    error_message = "Services log in by IAM."
  }

  assert {
    condition     = aws_rds_cluster.main.manage_master_user_password && aws_rds_cluster.main.master_password == null
    error_message = "The master's password is in no state file."
  }

  assert {
    condition     = aws_rds_cluster.main.backup_retention_period == 7
    error_message = "Any moment of the last days can be restored."
  }

  assert {
    condition     = !aws_rds_cluster.main.deletion_protection && aws_rds_cluster.main.skip_final_snapshot && aws_rds_cluster.main.delete_automated_backups
    error_message = "What is not protected can be destroyed."
  }

  assert {
    condition     = one(aws_rds_cluster.main.serverlessv2_scaling_configuration) == { min_capacity = 0, max_capacity = 4, seconds_until_auto_pause = 300 }
    error_message = "It sleeps after five minutes, and grows to four units."
  }

  assert {
    condition     = length(aws_rds_cluster_instance.main) == 1 && aws_rds_cluster_instance.main[0].instance_class == "db.serverless" && !aws_rds_cluster_instance.main[0].publicly_accessible
    error_message = "One serverless instance, out of the internet's reach."
  }

  assert {
    condition     = aws_rds_cluster_instance.main[0].ca_cert_identifier == "rds-ca-rsa2048-g1"
    error_message = "Its certificate is of a root that the services know."
  }

  assert {
    condition = { for parameter in aws_rds_cluster_parameter_group.main.parameter : parameter.name => parameter.value } == {
      "rds.force_ssl"                       = "1"
      "idle_in_transaction_session_timeout" = "60000"
      "idle_session_timeout"                = "60000"
      "log_min_duration_statement"          = "1000"
      "log_parameter_max_length"            = "0"
      "log_error_verbosity"                 = "terse"
    }
    error_message = "Connections are encrypted, forgotten ones are closed, and logs hold no customers' data."
  }

  assert {
    condition     = aws_rds_cluster.main.db_cluster_parameter_group_name == aws_rds_cluster_parameter_group.main.name && aws_rds_cluster.main.db_subnet_group_name == aws_db_subnet_group.main.name
    error_message = "These are the cluster's own parameters and subnets."
  }

  assert {
    condition     = aws_rds_cluster.main.vpc_security_group_ids == toset([aws_security_group.main.id]) && aws_security_group.main.vpc_id == "vpc-1"
    error_message = "Only its own security group lets anybody in."
  }

  assert {
    condition     = length(aws_security_group.main.ingress) == 0 && length(aws_security_group.main.egress) == 0
    error_message = "It lets nobody in by itself, and nothing out."
  }

  assert {
    condition     = aws_rds_cluster.main.enabled_cloudwatch_logs_exports == toset(["iam-db-auth-error", "postgresql"]) && alltrue([for group in aws_cloudwatch_log_group.main : group.retention_in_days == 30])
    error_message = "Its logs are kept for as long as all the others."
  }

  assert {
    condition     = join(" ", keys(aws_cloudwatch_metric_alarm.main)) == "connections deadlocks full local_storage transaction_ids"
    error_message = "Somebody is told when it is full, or about to be."
  }

  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.main :
      alarm.alarm_actions == toset([var.alarm_topic_arn]) && alarm.dimensions == tomap({ DBClusterIdentifier = "orderly-dev" }) && alarm.treat_missing_data == "notBreaching"
    ])
    error_message = "Each alarm watches this cluster, tells the topic, and lets a cluster sleep."
  }

  assert {
    condition = {
      for key, alarm in aws_cloudwatch_metric_alarm.main : key => "${alarm.metric_name} ${alarm.comparison_operator} ${alarm.threshold}"
      } == {
      full            = "ACUUtilization GreaterThanThreshold 90"
      connections     = "DatabaseConnections GreaterThanThreshold 560"
      local_storage   = "FreeLocalStorage LessThanThreshold 1073741824"
      transaction_ids = "MaximumUsedTransactionIDs GreaterThanThreshold 1000000000"
      deadlocks       = "Deadlocks GreaterThanThreshold 0.1"
    }
    error_message = "Alarms watch what they say."
  }

  assert {
    condition = jsonencode(output.services["orders"]) == jsonencode({
      host        = "orderly-dev.cluster-x.us-east-1.rds.amazonaws.com"
      reader_host = null
      port        = 5432
      name        = "orders"
      role        = "orders"
      connect_arn = "arn:aws:rds-db:us-east-1:123456789012:dbuser:cluster-ABC/orders"
    })
    error_message = "A service may connect as its own role, and as no other."
  }

  assert {
    condition     = join(" ", keys(output.services)) == "accounting inventory orders"
    error_message = "Each service has a database."
  }
}

run "a_database_for_real_data" {
  command = plan

  module {
    source = "./modules/database"
  }

  variables {
    capacity = {
      min                 = 2
      max                 = 16
      pause_after_seconds = 300
    }
    readers              = 1
    backup_days          = 35
    performance_insights = true
    kms_key_arn          = "arn:aws:kms:us-east-1:123456789012:key/1"
    io_optimized         = true
    protect              = true
  }

  assert {
    condition     = aws_rds_cluster.main.deletion_protection && !aws_rds_cluster.main.skip_final_snapshot && aws_rds_cluster.main.final_snapshot_identifier == "orderly-dev-final" && !aws_rds_cluster.main.delete_automated_backups
    error_message = "What is protected is not deleted by mistake, and leaves a snapshot and its backups."
  }

  assert {
    condition     = one(aws_rds_cluster.main.serverlessv2_scaling_configuration).seconds_until_auto_pause != 300
    error_message = "It never sleeps."
  }

  assert {
    condition     = !contains([for parameter in aws_rds_cluster_parameter_group.main.parameter : parameter.name], "idle_session_timeout")
    error_message = "Idle connections are kept where nobody wants it to sleep."
  }

  assert {
    condition     = jsonencode(aws_rds_cluster_instance.main[*].promotion_tier) == "[0,1]"
    error_message = "The reader has the writer's size, and can take over."
  }

  assert {
    condition     = output.services["orders"].reader_host == "orderly-dev.cluster-ro-x.us-east-1.rds.amazonaws.com"
    error_message = "Lists are read from the reader."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.main["behind"].threshold == 10000
    error_message = "Somebody is told of a reader that is behind."
  }

  assert {
    condition     = aws_rds_cluster.main.kms_key_id == var.kms_key_arn && alltrue([for instance in aws_rds_cluster_instance.main : instance.performance_insights_enabled && instance.performance_insights_kms_key_id == var.kms_key_arn])
    error_message = "Storage and insights are encrypted with the key that was given."
  }

  assert {
    condition     = aws_rds_cluster.main.storage_type == "aurora-iopt1"
    error_message = "I/O is not charged one by one."
  }
}

run "a_minimum_above_the_maximum" {
  command = plan

  module {
    source = "./modules/database"
  }

  variables {
    capacity = {
      min                 = 8
      max                 = 4
      pause_after_seconds = 300
    }
  }

  expect_failures = [var.capacity]
}
