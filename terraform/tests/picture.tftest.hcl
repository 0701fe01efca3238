# The picture of terraform/README.md, door by door: whoever adds one adds it here as well.

run "doors" {
  command = plan

  module {
    source = "./tests/picture"
  }

  assert {
    condition     = output.files > 30
    error_message = "The configuration was not found, so nothing was checked."
  }

  assert {
    condition = toset(output.doors) == toset([
      # CloudFront, or everybody if the balancer is public
      "modules/edge from_cloudfront",
      "modules/edge from_everywhere",
      # the balancer to the services
      "modules/service balancer_to_tasks",
      "modules/service tasks_from_balancer",
      # the services to their databases
      "modules/service database_from_tasks",
      "modules/service tasks_to_database",
      # the services to AWS: out, or to endpoints
      "modules/service endpoints_from_tasks",
      "modules/service tasks_to_endpoints",
      "modules/service tasks_to_everywhere",
      "modules/service tasks_to_s3",
      # the audit to the public address, and to AWS
      "modules/audit out",
    ])
    error_message = "There are other doors than in the picture."
  }

  assert {
    condition     = length(output.inline_rules) == 0
    error_message = "Rules of a security group are resources of their own."
  }

  assert {
    condition = output.open_to_everybody == tolist([
      "modules/audit/main.tf",      # to where everybody asks
      "modules/edge/balancer.tf",   # a public balancer
      "modules/network/egress.tf",  # out through NAT
      "modules/network/main.tf",    # from and to public subnets
      "modules/service/network.tf", # to AWS
    ])
    error_message = "Something is open to everybody that was not."
  }
}

run "permissions" {
  command = plan

  module {
    source = "./tests/picture"
  }

  assert {
    condition = toset(output.roles) == toset([
      "modules/audit scheduler",
      "modules/network flow",
      "modules/service infrastructure",
      "modules/task_roles execution",
      "modules/task_roles task",
    ])
    error_message = "There is another role."
  }

  assert {
    condition = toset(output.permissions) == toset([
      "aws_iam_role_policy modules/audit scheduler",
      "aws_iam_role_policy modules/network flow",
      "aws_iam_role_policy modules/service task",
      "aws_iam_role_policy modules/task_roles execution",
      "aws_iam_role_policy_attachment modules/service infrastructure",
    ])
    error_message = "Somebody got another permission."
  }
}

run "types" {
  command = plan

  module {
    source = "./tests/picture"
  }

  assert {
    condition     = length(output.untyped) == 0
    error_message = "Every variable has a type."
  }
}

run "services_do_not_get_in_each_others_way" {
  command = plan

  module {
    source = "./tests/picture"
  }

  assert {
    condition     = keys(output.priorities) == ["accounting.tf", "inventory.tf", "orders.tf"]
    error_message = "Three services, each in its file."
  }

  assert {
    # A rule of a service may have two more before it, for paths without a token.
    condition = alltrue([
      for pair in setproduct(keys(output.priorities), keys(output.priorities)) :
      abs(output.priorities[pair[0]] - output.priorities[pair[1]]) > 2
      if pair[0] != pair[1]
    ])
    error_message = "Two services would want the same place on the listener."
  }
}
