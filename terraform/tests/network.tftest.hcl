# The network, and its three ways out.

mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = {
      names = ["us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d"]
    }
  }

  mock_data "aws_region" {
    defaults = {
      region = "us-east-1"
    }
  }

  mock_data "aws_iam_policy_document" {
    defaults = {
      json = "{}"
    }
  }

  mock_resource "aws_iam_role" {
    defaults = {
      arn = "arn:aws:iam::123456789012:role/mock"
    }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = {
      arn = "arn:aws:logs:us-east-1:123456789012:log-group:mock"
    }
  }
}

variables {
  name               = "orderly-dev"
  cidr               = "10.20.0.0/16"
  zones              = 3
  egress             = "nat"
  endpoint_services  = ["sqs", "sns"]
  flow_logs          = true
  log_retention_days = 7
}

run "three_zones_and_a_gateway" {
  module {
    source = "./modules/network"
  }

  assert {
    condition     = output.availability_zones == tolist(["us-east-1a", "us-east-1b", "us-east-1c"]) && length(output.private_subnet_ids) == 3 && length(output.public_subnet_ids) == 3
    error_message = "A private and a public subnet in each zone."
  }

  assert {
    condition     = length(distinct(concat(values(aws_subnet.private)[*].cidr_block, values(aws_subnet.public)[*].cidr_block))) == 6
    error_message = "No two subnets have the same addresses."
  }

  assert {
    condition = (
      one(aws_nat_gateway.main).availability_mode == "regional" &&
      one(aws_route.nat).route_table_id == aws_route_table.private.id &&
      one(aws_route.nat).nat_gateway_id == one(aws_nat_gateway.main).id &&
      length(aws_vpc_endpoint.interface) == 0
    )
    error_message = "Out through one gateway for all zones."
  }

  assert {
    condition     = toset(output.tasks.subnet_ids) == toset(output.private_subnet_ids) && !output.tasks.public_ip && output.tasks.reaches == null
    error_message = "Tasks are where nobody reaches them."
  }

  assert {
    condition = (
      alltrue([for zone, association in aws_route_table_association.private : association.route_table_id == aws_route_table.private.id && association.subnet_id == aws_subnet.private[zone].id]) &&
      alltrue([for zone, association in aws_route_table_association.public : association.route_table_id == aws_route_table.public.id && association.subnet_id == aws_subnet.public[zone].id]) &&
      aws_route.internet.route_table_id == aws_route_table.public.id
    )
    error_message = "Only public subnets have a route from the internet."
  }

  assert {
    condition     = alltrue([for subnet in aws_subnet.public : subnet.map_public_ip_on_launch == false])
    error_message = "Nothing gets a public address by accident."
  }

  assert {
    condition     = aws_default_security_group.closed.vpc_id == aws_vpc.main.id && length(coalesce(aws_default_security_group.closed.ingress, [])) == 0 && length(coalesce(aws_default_security_group.closed.egress, [])) == 0
    error_message = "The default security group lets nothing in or out."
  }

  assert {
    condition     = aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway" && aws_vpc_endpoint.s3.service_name == "com.amazonaws.us-east-1.s3" && aws_vpc_endpoint.s3.route_table_ids == toset([aws_route_table.private.id, aws_route_table.public.id])
    error_message = "S3 is reached for nothing."
  }

  assert {
    condition = (
      one(aws_flow_log.refused).traffic_type == "REJECT" &&
      one(aws_cloudwatch_log_group.flow).retention_in_days == 7 &&
      one(one(data.aws_iam_policy_document.flow).statement).resources == toset(["${one(aws_cloudwatch_log_group.flow).arn}:*"])
    )
    error_message = "Refused connections are logged, where nothing else may be written."
  }
}

run "endpoints_instead_of_a_way_out" {
  module {
    source = "./modules/network"
  }

  variables {
    zones     = 2
    egress    = "endpoints"
    flow_logs = false
  }

  assert {
    condition     = length(aws_nat_gateway.main) == 0 && length(aws_route.nat) == 0
    error_message = "There is no way out."
  }

  assert {
    condition = (
      keys(aws_vpc_endpoint.interface) == ["sns", "sqs"] &&
      alltrue([for endpoint in aws_vpc_endpoint.interface : endpoint.private_dns_enabled && length(endpoint.subnet_ids) == 2 && endpoint.security_group_ids == toset(aws_security_group.endpoints[*].id)])
    )
    error_message = "Each service has an endpoint in each zone, under its usual name."
  }

  assert {
    condition     = output.tasks.reaches.endpoint_security_group_id == one(aws_security_group.endpoints).id && output.tasks.reaches.prefix_list_id == aws_vpc_endpoint.s3.prefix_list_id
    error_message = "Tasks reach the endpoints and S3."
  }

  assert {
    condition     = length(aws_flow_log.refused) == 0 && length(aws_iam_role.flow) == 0
    error_message = "No logs unless asked for."
  }
}

run "public_addresses_are_the_cheapest_way_out" {
  module {
    source = "./modules/network"
  }

  variables {
    egress = "public"
  }

  assert {
    condition     = output.tasks.public_ip && toset(output.tasks.subnet_ids) == toset(output.public_subnet_ids) && length(aws_nat_gateway.main) == 0 && length(aws_vpc_endpoint.interface) == 0
    error_message = "Tasks have addresses of their own, and nothing else is paid for."
  }
}

run "there_are_three_ways_out_and_two_or_three_zones" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    zones  = 1
    egress = "vpn"
  }

  expect_failures = [var.zones, var.egress]
}
