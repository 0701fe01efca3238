module "database" {
  source = "./modules/database"

  name       = local.name
  region     = var.region
  account_id = data.aws_caller_identity.current.account_id
  vpc_id     = module.network.vpc_id
  subnet_ids = module.network.private_subnet_ids
  services   = local.services
  capacity = {
    min                 = var.database.min
    max                 = var.database.max
    pause_after_seconds = var.database.pause_after_s
  }
  readers              = var.database.readers
  backup_days          = var.database.backup_days
  io_optimized         = var.database.io_optimized
  performance_insights = var.database.performance_insights
  kms_key_arn          = var.database.kms_key_arn
  protect              = var.protect
  log_retention_days   = var.log_retention_days
  alarm_topic_arn      = module.observability.alarm_topic_arn
  alarms               = var.database_alarms
}
