import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chassis.topology import Queue
from contracts import EVENTS
from contracts import __main__ as contracts_main
from contracts.__main__ import documents, main
from contracts.topology import TOPOLOGY

CLONE = Path(__file__).parents[2]
WRITTEN = (str(CLONE / "docs" / "events"), str(CLONE / "terraform" / "contracts"))


def run(monkeypatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["contracts", *arguments])
    main()


def test_what_is_written_down_is_what_is_announced(monkeypatch):
    run(monkeypatch, "--check", *WRITTEN)


def test_stale_files_are_noticed_and_written_anew(monkeypatch, tmp_path):
    events, topology = tmp_path / "events", tmp_path / "topology"
    folders = str(events), str(topology)
    run(monkeypatch, *folders)
    run(monkeypatch, "--check", *folders)
    (events / "asyncapi.json").write_text("{}")
    (events / "orders.nothing_happened.v1.json").write_text("{}")

    with pytest.raises(SystemExit, match=r"asyncapi\.json, orders\.nothing_happened"):
        run(monkeypatch, "--check", *folders)

    run(monkeypatch, *folders)
    run(monkeypatch, "--check", *folders)


def test_a_queue_that_terraform_does_not_know_is_noticed(monkeypatch, tmp_path):
    folders = str(tmp_path / "events"), str(tmp_path / "topology")
    run(monkeypatch, *folders)
    new = Queue(name="orderly-orders-from-nowhere", owner="orders", hears=None)
    more = replace(TOPOLOGY, queues=(*TOPOLOGY.queues, new))
    monkeypatch.setattr(contracts_main, "TOPOLOGY", more)

    with pytest.raises(SystemExit, match=r"topology\.json"):
        run(monkeypatch, "--check", *folders)


def test_usage_is_told(monkeypatch):
    with pytest.raises(SystemExit, match="usage"):
        run(monkeypatch)


def test_every_event_has_its_schema_and_its_place():
    written = documents()

    announced = json.loads(written["asyncapi.json"])["components"]["messages"]
    for event in EVENTS:
        assert json.loads(written[f"{event.type}.json"])["title"] == event.__name__
        assert announced[event.type]["name"] == event.type


def test_all_references_lead_somewhere():
    written = documents()
    document = json.loads(written["asyncapi.json"])

    for reference in references(document):
        if reference.startswith("./"):
            assert reference.removeprefix("./") in written
        else:
            found: Any = document
            for step in reference.removeprefix("#/").split("/"):
                found = found[step]


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [found for value in node.values() for found in references(value)]
    if isinstance(node, list):
        return [found for value in node for found in references(value)]
    return []
