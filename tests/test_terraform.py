"""What Terraform builds is what the services ask for."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from chassis import metrics
from chassis.emf import NAMESPACE
from contracts.orders import Channel
from contracts.topology import TOPOLOGY
from orderly import findings
from orderly.audit import Report
from orderly.tokens import SCOPES
from tests.test_services import SERVICES, each_service

CLONE = Path(__file__).parents[1]
TERRAFORM = CLONE / "terraform"
# The user pool's resource server: Cognito grants no scope that is not there.
GRANTED = json.loads((TERRAFORM / "scopes.json").read_text())


OWN_METRICS = json.loads((TERRAFORM / "metrics.json").read_text())
CHARTED = {
    (service, metric)
    for chart in OWN_METRICS["charts"]
    for metric in chart["metrics"]
    for service in chart["services"]
}
ALARMED = {
    (alarm["service"], alarm["metric"]) for alarm in OWN_METRICS["alarms"].values()
}


STATS = {
    "counter": {"Sum"},
    "gauge": {"Maximum"},
    "standing": {"Maximum"},
    "histogram": {"p95"},
}


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


def test_each_image_that_terraform_runs_is_built_and_has_a_recipe():
    workflow = (CLONE / ".github" / "workflows" / "images.yml").read_text()
    (listed,) = re.findall(r"^ +image: \[(.+?)\]", workflow, re.MULTILINE)
    recipes = (CLONE / "services" / "Dockerfile").read_text()
    names = {service.name for service in SERVICES} | {"orderly"}

    assert set(listed.split(", ")) == names
    assert 'command     = "orderly"' in (TERRAFORM / "images.tf").read_text()
    assert names <= set(re.findall(r"^FROM \w+ AS (\w+)$", recipes, re.MULTILINE))


def test_the_alarms_of_the_audit_know_its_verdicts():
    alarms = (TERRAFORM / "modules" / "audit" / "alarms.tf").read_text()
    sound = Report(orders=1, checks=1, outcomes=(), broken=())
    broken = Report(orders=1, checks=1, outcomes=(), broken=(), queues=({},))

    for verdict in map(findings.verdict, (sound, broken)):
        assert f'"{verdict.plain.partition(":")[0]}"' in alarms


def test_what_charts_and_alarms_watch_is_what_the_services_tell_cloudwatch():
    told = {metric.name for metric in metrics.REGISTRY.values() if metric.watched}

    assert {metric for _, metric in CHARTED | ALARMED} == told


@pytest.mark.parametrize(("service", "metric"), sorted(CHARTED | ALARMED))
def test_a_chart_or_alarm_watches_a_service_that_has_the_metric(service, metric):
    sources = (*CLONE.glob(f"services/{service}/src"), *CLONE.glob("libs/chassis/src"))
    named = f'"{metric}"'

    assert any(
        named in path.read_text() for source in sources for path in source.rglob("*.py")
    )


def test_counters_are_summed_and_gauges_are_not():
    for watcher in (*OWN_METRICS["charts"], *OWN_METRICS["alarms"].values()):
        for name in watcher.get("metrics", [watcher.get("metric")]):
            kind = metrics.REGISTRY[name].kind
            stats = STATS
            assert watcher["stat"] in stats[kind], name


def test_an_alarm_on_a_figure_is_on_one_that_is_told_all_the_time():
    """Another one would be silent when nothing happens, and its alarm go off."""
    for alarm in OWN_METRICS["alarms"].values():
        assert metrics.REGISTRY[alarm["metric"]].kind in ("counter", "standing")


def test_terraform_looks_for_them_where_they_are():
    variables = (TERRAFORM / "modules/observability/variables.tf").read_text()

    assert f'default     = "{NAMESPACE}"' in variables
