# To try things out: cheap while nobody does, and gone with `terraform destroy`.

environment = "dev"
protect     = false

# No NAT gateway to pay for: tasks have public addresses, and still nothing comes in.
egress = "public"

# Sleeps after five minutes without orders; the first one then waits for it to wake.
database = {
  min = 0
  max = 2
}

# The same steps as in production, in less time.
deployment = {
  strategy     = "CANARY"
  bake_minutes = 1
}

# What comes on top of one task each may be taken away at any time.
spot_weight = 1

# Each client is charged for, so there are as few as a first order takes: a shop, and
# somebody who enters products and stock.
storefronts = {
  web       = { channels = ["web"] }
  warehouse = { scopes = ["inventory.read", "inventory.write"] }
}

log_retention_days = 7
monthly_budget     = 120
