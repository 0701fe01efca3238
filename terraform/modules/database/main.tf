# One Aurora PostgreSQL cluster, with a database and a role for each service in it. These
# two are made by the service's own `migrate` on its first run.

locals {
  pauses = var.capacity.min == 0
}

resource "aws_rds_cluster" "main" {
  #checkov:skip=CKV2_AWS_8: Its own backups restore any moment of backup_days.
  #checkov:skip=CKV2_AWS_27: Slow statements are logged; all of them would write down what customers ordered.
  cluster_identifier = var.name
  engine             = "aurora-postgresql"
  engine_mode        = "provisioned"
  # The newest minor version of it; which one that is changes by itself, in the window.
  engine_version = var.postgres_version
  # A major version comes when somebody changes the variable, and AWS would refuse.
  allow_major_version_upgrade = true
  port                        = 5432

  # AWS makes the password, keeps it in Secrets Manager and changes it every week. It is
  # in no state file, and no running process uses it: services log in by IAM.
  master_username                     = "postgres"
  manage_master_user_password         = true
  iam_database_authentication_enabled = true

  db_subnet_group_name            = aws_db_subnet_group.main.name
  vpc_security_group_ids          = [aws_security_group.main.id]
  db_cluster_parameter_group_name = aws_rds_cluster_parameter_group.main.name

  storage_encrypted = true
  kms_key_id        = var.kms_key_arn
  storage_type      = var.io_optimized ? "aurora-iopt1" : null

  serverlessv2_scaling_configuration {
    min_capacity             = var.capacity.min
    max_capacity             = var.capacity.max
    seconds_until_auto_pause = local.pauses ? var.capacity.pause_after_seconds : null
  }

  backup_retention_period      = var.backup_days
  preferred_backup_window      = "03:00-04:00"
  preferred_maintenance_window = "sun:04:30-sun:05:30"
  copy_tags_to_snapshot        = true
  deletion_protection          = var.protect
  delete_automated_backups     = !var.protect
  skip_final_snapshot          = !var.protect
  final_snapshot_identifier    = var.protect ? "${var.name}-final" : null

  # What was applied is so, and not next Sunday.
  apply_immediately = true

  enabled_cloudwatch_logs_exports = keys(aws_cloudwatch_log_group.main)
}

resource "aws_rds_cluster_instance" "main" {
  #checkov:skip=CKV_AWS_118: Aurora's own metrics are enough for its alarms, and cost nothing.
  count = 1 + var.readers

  identifier         = "${var.name}-${count.index}"
  cluster_identifier = aws_rds_cluster.main.id
  engine             = aws_rds_cluster.main.engine
  engine_version     = aws_rds_cluster.main.engine_version
  instance_class     = "db.serverless"
  # The first reader keeps the writer's size, and can take over at once.
  promotion_tier = min(count.index, 2)

  performance_insights_enabled    = var.performance_insights
  performance_insights_kms_key_id = var.performance_insights ? var.kms_key_arn : null
  # Of one of these roots, which the services know: chassis/rds-ca.pem.
  ca_cert_identifier         = "rds-ca-rsa2048-g1"
  auto_minor_version_upgrade = true
  copy_tags_to_snapshot      = true
  publicly_accessible        = false
  apply_immediately          = true
}

resource "aws_rds_cluster_parameter_group" "main" {
  name_prefix = "${var.name}-"
  family      = "aurora-postgresql${var.postgres_version}"
  description = "Of the cluster ${var.name}."

  dynamic "parameter" {
    for_each = local.parameters

    content {
      name         = parameter.key
      value        = parameter.value
      apply_method = "immediate"
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

locals {
  parameters = merge(
    {
      "rds.force_ssl" = "1"
      # Whoever died in a transaction holds its locks no longer than this.
      "idle_in_transaction_session_timeout" = "60000"
      # Slow statements are logged without the values they were run with, and errors
      # without the rows they were about: these are customers' data.
      "log_min_duration_statement" = "1000"
      "log_parameter_max_length"   = "0"
      "log_error_verbosity"        = "terse"
    },
    # A forgotten connection would keep the cluster awake. The services close theirs
    # themselves, and take a closed one for a reason to open another.
    local.pauses ? { "idle_session_timeout" = "60000" } : {},
  )
}

resource "aws_db_subnet_group" "main" {
  name        = var.name
  description = "Of the cluster ${var.name}."
  subnet_ids  = var.subnet_ids
}

# Empty: each service makes the rule that lets its tasks in, and nobody else's.
resource "aws_security_group" "main" {
  name        = "${var.name}-database"
  description = "The database: in from the tasks of the services, out to nowhere."
  vpc_id      = var.vpc_id

  tags = {
    Name = "${var.name}-database"
  }
}

# RDS would make them itself, and keep them for ever.
resource "aws_cloudwatch_log_group" "main" {
  for_each = toset(["postgresql", "iam-db-auth-error"])

  name              = "/aws/rds/cluster/${var.name}/${each.key}"
  retention_in_days = var.log_retention_days
}
