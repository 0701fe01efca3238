"""What Terraform builds is what the services ask for."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from contracts.orders import Channel
from contracts.topology import TOPOLOGY
from orderly import findings
from orderly.audit import Report
from orderly.tokens import SCOPES
from tests.test_services import SERVICES, each_service

TERRAFORM = Path(__file__).parents[1] / "terraform"
# The user pool's resource server: Cognito grants no scope that is not there.
GRANTED = json.loads((TERRAFORM / "scopes.json").read_text())


def scopes_of(dependant: Dependant) -> Iterator[str]:
    yield from dependant.own_oauth_scopes or ()
    for dependency in dependant.dependencies:
        yield from scopes_of(dependency)


def asked_for() -> set[str]:
    return {
        scope
        for service in SERVICES
        for route in iter_route_contexts(service.unserved().routes)
        if isinstance(route.original_route, APIRoute)
        for scope in scopes_of(route.dependant)
    }


def test_the_user_pool_grants_what_routes_and_channels_ask_for_and_no_more():
    assert set(GRANTED) == asked_for() | {f"channel.{channel}" for channel in Channel}


def test_a_token_made_here_may_open_what_one_of_the_user_pool_may():
    assert set(GRANTED) == set(SCOPES)


@each_service
def test_a_services_topic_and_queues_are_found_by_its_name(service: Any):
    """Terraform finds them so, to say what a service may do."""
    owned = {queue.name for queue in TOPOLOGY.queues_of(service.name)}

    assert service.announces.name == f"orderly-{service.name}"
    assert owned == {queue.name for queue in service.hears}


def test_the_alarms_of_the_audit_know_its_verdicts():
    alarms = (TERRAFORM / "modules" / "audit" / "alarms.tf").read_text()
    sound = Report(orders=1, checks=1, outcomes=(), broken=())
    broken = Report(orders=1, checks=1, outcomes=(), broken=(), queues=({},))

    for verdict in map(findings.verdict, (sound, broken)):
        assert f'"{verdict.plain.partition(":")[0]}"' in alarms
