# What customers order from. The first part is an example: put yours in its place.

seller = {
  name            = "Example Retail Ltd"
  address         = ["1 Quay Street", "Cork T12 X4V2", "Ireland"]
  tax_id          = "IE0000000XX"
  contact         = ["billing@example.com"]
  payment_details = "IBAN IE00 EXMP 0000 0000 0000 00"
}

alarm_email    = "operations@example.com"
monthly_budget = 600

# As it is meant to run.

environment = "prod"
protect     = true

# Nothing but the gateway has a public address. From three tasks a service on, a third
# zone is worth what its part of the gateway costs.
egress = "nat"
zones  = 2

# Never asleep, and with a second instance that takes over within a minute; it answers
# lists meanwhile.
database = {
  min         = 0.5
  max         = 16
  readers     = 1
  backup_days = 14
}

# Two tasks each, so that one may fail; of half a vCPU, which carries what comes until
# more tasks are there.
orders = {
  cpu    = 512
  memory = 1024
  tasks  = { min = 2, max = 20 }
}

inventory = {
  cpu    = 512
  memory = 1024
  tasks  = { min = 2, max = 20 }
}

accounting = {
  cpu    = 512
  memory = 1024
  tasks  = { min = 2, max = 20 }
}

# A tenth of the traffic for five minutes, then all of it; back at once if alarms ring.
deployment = {
  strategy       = "CANARY"
  canary_percent = 10
  bake_minutes   = 5
}

flow_logs          = true
log_retention_days = 90

# Whether the three services agree, asked every day.
audit = {}
