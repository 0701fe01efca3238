# Every variable has a default: `terraform apply` alone gives a small environment to try.
# What a variable of one file alone uses stands here too, under that file's name.

variable "name" {
  description = "What everything is called by, with the environment behind it. Not the topics and queues: the services look those up by the names in contracts/topology.py, so there is one environment per account and region."
  type        = string
  default     = "orderly"

  validation {
    # The longest name built from it is a target group's, of 32 characters at most.
    condition     = length(var.name) <= 12 && can(regex("^[a-z][a-z0-9-]*[a-z0-9]$", var.name))
    error_message = "name is 2 to 12 lower-case letters, digits and hyphens, from a letter on."
  }
}

variable "environment" {
  description = "dev: cheap and easy to destroy. prod: what is protected, and must have real data."
  type        = string
  default     = "dev"

  validation {
    condition     = contains(["dev", "prod"], var.environment)
    error_message = "environment is dev or prod."
  }
}

variable "region" {
  description = "Where all of it is. Only what CloudFront asks for is in us-east-1 besides."
  type        = string
  default     = "us-east-1"
}

variable "tags" {
  description = "Tags on everything, besides app and environment."
  type        = map(string)
  default     = {}
}

variable "protect" {
  description = "Keep data from being destroyed with the rest: deletion protection, final snapshots, buckets and repositories that must be empty first. false makes `terraform destroy` possible."
  type        = bool
  default     = false

  validation {
    condition     = var.protect || var.environment != "prod"
    error_message = "Production is protected: set protect = true."
  }
}

variable "log_retention_days" {
  description = "How long logs are kept, in CloudWatch and in the bucket of access logs."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch keeps logs for 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400 … days."
  }
}

# network.tf

variable "vpc_cidr" {
  description = "The addresses of the VPC, a /16 to /20. It is divided into sixteen subnets' worth, of which at most six are used."
  type        = string
  default     = "10.20.0.0/16"

  validation {
    condition     = can(cidrsubnet(var.vpc_cidr, 4, 15)) && try(tonumber(split("/", var.vpc_cidr)[1]), 32) <= 20
    error_message = "vpc_cidr is an IPv4 range of a /20 or larger, like 10.20.0.0/16."
  }
}

variable "zones" {
  description = "Over how many availability zones: 2, or 3 to lose one without losing half."
  type        = number
  default     = 2

  validation {
    condition     = contains([2, 3], var.zones)
    error_message = "zones is 2 or 3."
  }
}

variable "egress" {
  description = <<-EOT
    How tasks reach AWS's APIs and token issuers. Monthly cost in us-east-1, before data:
    public: a public IPv4 address per task, about $3.65 each, nothing inbound is open; $11 at three tasks.
    nat: one regional NAT gateway, about $33 per zone in use, and $0.045 a GB; $73 over two zones with its addresses.
    endpoints: interface endpoints in each zone, about $7.30 each per zone, and $0.01 a GB; $102 for seven over two zones. Nothing outside AWS is reachable then, so further issuers are not.
  EOT
  type        = string
  default     = "nat"

  validation {
    condition     = contains(["public", "nat", "endpoints"], var.egress)
    error_message = "egress is public, nat or endpoints."
  }
}

variable "flow_logs" {
  description = "Log refused connections of the VPC. $0.50 a GB."
  type        = bool
  default     = false
}

# edge.tf

variable "domain_names" {
  description = "Names under which Orderly is reached, besides CloudFront's own; each needs a DNS record that points to the distribution."
  type        = list(string)
  default     = []
}

variable "certificate_arn" {
  description = "ACM certificate for domain_names, in us-east-1 because CloudFront asks for that."
  type        = string
  default     = null

  validation {
    condition     = (var.certificate_arn != null) == (length(var.domain_names) > 0)
    error_message = "domain_names and certificate_arn go together."
  }

  validation {
    condition     = var.certificate_arn == null || can(regex("^arn:aws[a-z-]*:acm:us-east-1:", var.certificate_arn))
    error_message = "CloudFront takes certificates from us-east-1 only."
  }
}

variable "load_balancer" {
  description = <<-EOT
    public: reachable from the internet as well, past CloudFront; otherwise only CloudFront reaches it, through a VPC origin.
    certificate_arn: ACM certificate of this region that covers domain_names, for TLS from CloudFront on too. The API then answers under domain_names, and no longer under CloudFront's own name, which that certificate cannot cover.
    verify_tokens: let the balancer turn away requests without a valid token of our user pool before they reach a service, which verifies them in any case. Needs a certificate, no further issuers, and rolling deployments.
  EOT
  type = object({
    public          = optional(bool, false)
    certificate_arn = optional(string)
    verify_tokens   = optional(bool, false)
  })
  default = {}

  validation {
    condition     = !var.load_balancer.public || var.load_balancer.certificate_arn != null
    error_message = "A public load balancer needs a certificate: tokens do not travel in the clear."
  }

  validation {
    condition     = var.load_balancer.certificate_arn == null || length(var.domain_names) > 0
    error_message = "The load balancer's certificate covers domain_names: give these too."
  }

  validation {
    condition     = !var.load_balancer.verify_tokens || var.load_balancer.certificate_arn != null
    error_message = "Load balancers verify tokens on HTTPS listeners only: give a certificate."
  }

  validation {
    condition     = !var.load_balancer.verify_tokens || length(var.additional_issuers) == 0
    error_message = "A load balancer verifies the tokens of one issuer, and would turn the others' away."
  }

  validation {
    # A canary turns the weights of one listener rule per service; the paths that need no
    # token would be a second one.
    condition     = !var.load_balancer.verify_tokens || var.deployment.strategy == "ROLLING"
    error_message = "verify_tokens goes with deployment.strategy = \"ROLLING\" only."
  }
}

variable "rate_limit" {
  description = <<-EOT
    requests: of one client address in five minutes; beyond that it is turned away with 429.
    exempt_cidrs: addresses without a limit: storefronts whose servers order for all of their customers.
  EOT
  type = object({
    requests     = optional(number, 10000)
    exempt_cidrs = optional(list(string), [])
  })
  default = {}

  validation {
    condition     = var.rate_limit.requests >= 10
    error_message = "WAF counts from 10 requests on."
  }

  validation {
    condition     = alltrue([for cidr in var.rate_limit.exempt_cidrs : can(cidrhost(cidr, 0))])
    error_message = "exempt_cidrs are address ranges, like 203.0.113.7/32."
  }
}

variable "price_class" {
  description = "Which of CloudFront's locations serve: PriceClass_100 (America and Europe, cheapest), PriceClass_200 or PriceClass_All."
  type        = string
  default     = "PriceClass_100"

  validation {
    condition     = contains(["PriceClass_100", "PriceClass_200", "PriceClass_All"], var.price_class)
    error_message = "price_class is PriceClass_100, PriceClass_200 or PriceClass_All."
  }
}

# cluster.tf

variable "cpu_architecture" {
  description = "ARM64 is a fifth cheaper; X86_64 is for builds on machines that cannot make the other."
  type        = string
  default     = "ARM64"

  validation {
    condition     = contains(["ARM64", "X86_64"], var.cpu_architecture)
    error_message = "cpu_architecture is ARM64 or X86_64."
  }
}

variable "spot_weight" {
  description = "Of the tasks beyond a service's minimum, how many run on Spot for each one that does not: 0 for none. Some 70 % cheaper; a task may be asked to leave at any time, which loses nothing."
  type        = number
  default     = 0

  validation {
    condition     = var.spot_weight >= 0 && var.spot_weight <= 1000
    error_message = "spot_weight is from 0 to 1000."
  }
}

variable "container_insights" {
  description = "disabled, enabled or enhanced; enhanced is about $30 a month for six tasks. No alarm, dashboard or scaling of ours needs it."
  type        = string
  default     = "disabled"

  validation {
    condition     = contains(["disabled", "enabled", "enhanced"], var.container_insights)
    error_message = "container_insights is disabled, enabled or enhanced."
  }
}

variable "debug" {
  description = "Allow `aws ecs execute-command` into tasks. It gives whoever may call it what the task may do."
  type        = bool
  default     = false
}

variable "deployment" {
  description = <<-EOT
    strategy: CANARY sends a part of the traffic to the new version first; ROLLING replaces task by task. Both go back by themselves when an alarm rings or tasks do not become healthy. To be decided before the first deployment: changing it replaces listener rules, which costs seconds of 404.
    canary_percent: how much of the traffic the new version gets at first.
    bake_minutes: how long alarms are watched, at canary_percent and again at all of it.
  EOT
  type = object({
    strategy       = optional(string, "CANARY")
    canary_percent = optional(number, 10)
    bake_minutes   = optional(number, 5)
  })
  default = {}

  validation {
    condition     = contains(["CANARY", "ROLLING"], var.deployment.strategy)
    error_message = "strategy is CANARY or ROLLING."
  }

  validation {
    condition     = var.deployment.canary_percent > 0 && var.deployment.canary_percent < 100
    error_message = "canary_percent is more than 0 and less than 100."
  }

  validation {
    condition     = var.deployment.bake_minutes >= 1 && var.deployment.bake_minutes <= 60
    error_message = "bake_minutes is from 1 to 60."
  }
}

# images.tf

variable "build_images" {
  description = "Build the images here and push them while applying, with docker and the AWS CLI of this machine. false: image_tag says which are there already."
  type        = bool
  default     = true
}

variable "image_tag" {
  description = "Tag of the images to run; its digest is what is deployed. Goes with build_images = false."
  type        = string
  default     = null

  validation {
    condition     = (var.image_tag != null) != var.build_images
    error_message = "Give image_tag and build_images = false, or neither."
  }
}

# orders.tf, inventory.tf, accounting.tf

variable "orders" {
  description = <<-EOT
    The size of Orders; the same for inventory and accounting.
    cpu, memory: of a task, in units and MiB, a pair that Fargate has.
    tasks: how many at least and at most.
    requests_per_task: a minute, that one task takes with ease.
    seconds_per_message: that one task takes for a message, of up to a hundred events.
    slow_after_s: a p95 above this is an alarm, and sends a deployment back.
  EOT
  type = object({
    cpu                 = optional(number, 256)
    memory              = optional(number, 512)
    tasks               = optional(object({ min = number, max = number }), { min = 1, max = 4 })
    requests_per_task   = optional(number, 3000)
    seconds_per_message = optional(number, 0.2)
    slow_after_s        = optional(number, 2)
  })
  default = {}
}

variable "inventory" {
  description = "The size of Inventory: see orders."
  type = object({
    cpu                 = optional(number, 256)
    memory              = optional(number, 512)
    tasks               = optional(object({ min = number, max = number }), { min = 1, max = 4 })
    requests_per_task   = optional(number, 3000)
    seconds_per_message = optional(number, 0.2)
    slow_after_s        = optional(number, 2)
  })
  default = {}
}

variable "accounting" {
  description = "The size of Accounting: see orders."
  type = object({
    cpu                 = optional(number, 256)
    memory              = optional(number, 512)
    tasks               = optional(object({ min = number, max = number }), { min = 1, max = 4 })
    requests_per_task   = optional(number, 3000)
    seconds_per_message = optional(number, 0.2)
    slow_after_s        = optional(number, 5)
  })
  default = {}
}

variable "gateway_signs" {
  description = "Whether the payment gateway's secrets were put in: accounting takes its events then, and none before."
  type        = bool
  default     = false
}

variable "seller" {
  description = "Who sells, for invoices: what the law wants to see there. null leaves the example in."
  type = object({
    name            = string
    address         = list(string)
    tax_id          = string
    contact         = optional(list(string), [])
    payment_details = optional(string)
  })
  default = null

  validation {
    condition     = var.seller != null || var.environment != "prod"
    error_message = "Production writes real invoices: say who the seller is."
  }
}

variable "cors_origins" {
  description = "Origins that browsers may call the API from, besides the console, which has the same origin."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for origin in var.cors_origins : can(regex("^https?://[^/*]+$", origin))])
    error_message = "An origin is a scheme and a host, like https://shop.example.com, and never *."
  }
}

variable "log_level" {
  description = "What is less than that is not logged by the services."
  type        = string
  default     = "info"

  validation {
    condition     = contains(["debug", "info", "warning", "error"], var.log_level)
    error_message = "log_level is debug, info, warning or error."
  }
}

# identity.tf

variable "additional_issuers" {
  description = "Others whose tokens are accepted: for customers who sign in elsewhere and carry customer_id. An audience or client_ids each."
  type = list(object({
    issuer     = string
    jwks_url   = string
    audience   = optional(string)
    client_ids = optional(list(string), [])
  }))
  default = []

  validation {
    condition     = alltrue([for issuer in var.additional_issuers : issuer.audience != null || length(issuer.client_ids) > 0])
    error_message = "An issuer needs an audience or client_ids."
  }

  validation {
    condition     = length(var.additional_issuers) == 0 || var.egress != "endpoints"
    error_message = "With egress = \"endpoints\" the keys of an issuer outside AWS cannot be fetched."
  }
}

variable "storefronts" {
  description = "Clients that sign in with a secret, by name. channels: which they order for. scopes: what they may besides, of scopes.json."
  type = map(object({
    channels = optional(set(string), [])
    scopes   = optional(set(string), ["orders.write", "orders.read", "inventory.read", "inventory.hold"])
  }))
  default = {
    web       = { channels = ["web"] }
    mobile    = { channels = ["mobile"] }
    wholesale = { channels = ["wholesale"] }
  }

  validation {
    condition = alltrue(flatten([
      for storefront in values(var.storefronts) : [
        for channel in storefront.channels : contains(["web", "mobile", "wholesale"], channel)
      ]
    ]))
    error_message = "A channel is web, mobile or wholesale."
  }

  validation {
    condition = alltrue(flatten([
      for storefront in values(var.storefronts) : [
        for scope in storefront.scopes : contains(keys(jsondecode(file("${path.module}/scopes.json"))), scope)
      ]
    ]))
    error_message = "A scope is one of scopes.json."
  }
}

variable "staff" {
  description = "How people sign in. callback_urls: where the console may be besides at our own address, like http://localhost:8080/. mfa: ask everybody for a code of their authenticator app."
  type = object({
    callback_urls = optional(list(string), [])
    mfa           = optional(bool, true)
  })
  default = {}
}

variable "user_pool_tier" {
  description = "LITE does all that Orderly needs; ESSENTIALS and PLUS cost more for each who signs in."
  type        = string
  default     = "LITE"

  validation {
    condition     = contains(["LITE", "ESSENTIALS", "PLUS"], var.user_pool_tier)
    error_message = "user_pool_tier is LITE, ESSENTIALS or PLUS."
  }
}

# database.tf

variable "database" {
  description = <<-EOT
    min, max: of an instance, in Aurora capacity units of 2 GiB, $0.12 an hour each. A minimum of 0 lets the cluster sleep when nothing asks it, and takes some 15 s to wake.
    pause_after_s: how long nothing must be asked before it sleeps.
    readers: further instances: one takes over when the writer fails, and answers lists meanwhile.
    backup_days: for how many days any moment can be restored.
    io_optimized: no charge for each I/O, for more expensive capacity ($0.156 instead of $0.12) and storage; cheaper when I/O is more than a quarter of the database's bill. It can be changed once a month.
    performance_insights: what the database waited for, for seven days; AWS advises a min of 2 with it.
    kms_key_arn: a key of one's own for what is stored; to be decided before the first apply.
  EOT
  type = object({
    min           = optional(number, 0)
    max           = optional(number, 4)
    pause_after_s = optional(number, 300)
    readers       = optional(number, 0)
    backup_days   = optional(number, 7)

    io_optimized         = optional(bool, false)
    performance_insights = optional(bool, false)
    kms_key_arn          = optional(string)
  })
  default = {}

  validation {
    condition     = var.database.min >= 0 && var.database.max >= 1 && var.database.min <= var.database.max && var.database.max <= 256
    error_message = "min is from 0, max from 1 to 256, and min not above max."
  }

  validation {
    condition     = var.database.pause_after_s >= 300 && var.database.pause_after_s <= 86400
    error_message = "pause_after_s is from 300 to 86400."
  }

  validation {
    condition     = contains(range(0, 16), var.database.readers)
    error_message = "A cluster has up to 15 readers."
  }

  validation {
    condition     = var.database.backup_days >= 1 && var.database.backup_days <= 35
    error_message = "backup_days is from 1 to 35."
  }
}

variable "database_alarms" {
  description = <<-EOT
    When somebody is told about the database.
    capacity_percent: of max, for a quarter of an hour; the last tenth is what a peak needs.
    connections_percent: of what the size allows; above it a deployment, which runs tasks twice, may find none left.
    free_local_storage_gib: sorts and logs use it, and statements fail when it is gone.
    used_transaction_ids: autovacuum begins to force itself at 200 million, and PostgreSQL stops writing at 2,000 million.
    deadlocks_per_second: they are run again, so single ones do no harm.
    reader_behind_s: Aurora restarts a reader that is a minute behind.
  EOT
  type = object({
    capacity_percent       = optional(number, 90)
    connections_percent    = optional(number, 70)
    free_local_storage_gib = optional(number, 1)
    used_transaction_ids   = optional(number, 1000000000)
    deadlocks_per_second   = optional(number, 0.1)
    reader_behind_s        = optional(number, 10)
  })
  default = {}

  validation {
    condition = alltrue([
      for percent in [var.database_alarms.capacity_percent, var.database_alarms.connections_percent] :
      percent > 0 && percent <= 100
    ])
    error_message = "Percentages are more than 0 and at most 100."
  }

  validation {
    condition     = var.database_alarms.used_transaction_ids > 200000000 && var.database_alarms.used_transaction_ids < 2000000000
    error_message = "used_transaction_ids is between 200 million, where autovacuum begins, and 2,000 million, where writing ends."
  }
}

# messaging.tf

variable "messages_wait_at_most_s" {
  description = "How old a message may get before more tasks are started and, five minutes on, somebody is told: what customers may wait for between an order and its confirmation."
  type        = number
  default     = 60

  validation {
    condition     = var.messages_wait_at_most_s >= 10
    error_message = "messages_wait_at_most_s is 10 or more: SQS reports ages by the minute."
  }
}

# observability.tf, budget.tf

variable "alarm_email" {
  description = "Who is told of alarms and of the budget; has to confirm the subscription once. null: nobody, alarms show in the console only."
  type        = string
  default     = null
}

variable "monthly_budget" {
  description = "In US dollars; see budget_percent for when alarm_email is told."
  type        = number
  default     = 100

  validation {
    condition     = var.monthly_budget > 0
    error_message = "monthly_budget is more than 0."
  }
}

variable "budget_percent" {
  description = "Of monthly_budget. forecast: told when the month is expected to end above it. actual: told when it is spent."
  type = object({
    forecast = optional(number, 100)
    actual   = optional(number, 80)
  })
  default = {}

  validation {
    condition     = var.budget_percent.forecast > 0 && var.budget_percent.actual > 0
    error_message = "Percentages are more than 0."
  }
}

variable "budget_by_tag" {
  description = "Count only what carries the tag app. Activate that as a cost allocation tag first, in the billing console, a day after the first apply: until then it would count nothing. false: all of the account."
  type        = bool
  default     = false
}

variable "trace_sampling" {
  description = "The share of requests that leave a trace; whoever calls with a trace of their own has decided. An order leaves some 12 KB of spans, at $0.35 a GB. 0: no traces, and X-Ray stays as it is in this account."
  type        = number
  default     = 0.05

  validation {
    condition     = var.trace_sampling >= 0 && var.trace_sampling <= 1
    error_message = "trace_sampling is from 0 to 1."
  }
}

# All roles

variable "permissions_boundary" {
  description = "ARN of the policy that no role of the stack gets beyond, which bootstrap/ makes. Deployments by workflow have to give it; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary == null || can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:policy/", var.permissions_boundary))
    error_message = "permissions_boundary is the ARN of an IAM policy."
  }
}

variable "audit" {
  description = <<-EOT
    Have `orderly audit` run by itself, and tell the alarms' topic when it does not end well; null for never. It needs a way out (egress is public or nat).
    schedule: when, as EventBridge Scheduler has it.
    silent_hours: an alarm after so many without an audit that went well; more than the schedule lets pass.
  EOT
  type = object({
    schedule     = optional(string, "rate(1 day)")
    silent_hours = optional(number, 26)
  })
  default = null

  validation {
    condition     = var.audit == null || can(regex("^(rate|cron|at)\\(.+\\)$", var.audit.schedule))
    error_message = "audit.schedule is as rate(1 day) or cron(0 4 * * ? *)."
  }

  validation {
    condition     = var.audit == null || var.egress != "endpoints"
    error_message = "The audit comes in by the front door: it needs egress = \"public\" or \"nat\"."
  }
}
