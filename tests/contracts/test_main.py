import json
import sys
from pathlib import Path
from typing import Any

import pytest

from contracts import EVENTS
from contracts.__main__ import documents, main

DOCS = Path(__file__).parents[2] / "docs" / "events"


def run(monkeypatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["contracts", *arguments])
    main()


def test_what_is_written_down_is_what_is_announced(monkeypatch):
    run(monkeypatch, "--check", str(DOCS))


def test_stale_files_are_noticed_and_written_anew(monkeypatch, tmp_path):
    folder = tmp_path / "events"
    run(monkeypatch, str(folder))
    run(monkeypatch, "--check", str(folder))
    (folder / "asyncapi.json").write_text("{}")
    (folder / "orders.nothing_happened.v1.json").write_text("{}")

    with pytest.raises(SystemExit, match=r"asyncapi\.json, orders\.nothing_happened"):
        run(monkeypatch, "--check", str(folder))

    run(monkeypatch, str(folder))
    run(monkeypatch, "--check", str(folder))


def test_usage_is_told(monkeypatch):
    with pytest.raises(SystemExit, match="usage"):
        run(monkeypatch)


def test_every_event_has_its_schema_and_its_place():
    written = documents()

    announced = json.loads(written["asyncapi.json"])["components"]["messages"]
    for event in EVENTS:
        assert json.loads(written[f"{event.type}.json"])["title"] == event.__name__
        assert announced[event.__name__]["name"] == event.type


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
