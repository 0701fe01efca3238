"""Writes the contracts down: events for other teams, the topology for Terraform.

`python -m contracts docs/events terraform/contracts` writes; with `--check` it
complains of stale files.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from inspect import cleandoc
from pathlib import Path
from typing import Any

import msgspec

from chassis.events import Event
from chassis.topology import Topic
from contracts import accounting, inventory, orders
from contracts.topology import ACCOUNTING, INVENTORY, ORDERS, TOPOLOGY

ANNOUNCED: Mapping[Topic, Sequence[type[Event]]] = {
    ORDERS: orders.EVENTS,
    INVENTORY: inventory.EVENTS,
    ACCOUNTING: accounting.EVENTS,
}
CLOUD_EVENT: Mapping[str, Any] = {
    "type": "object",
    "required": ["specversion", "id", "source", "type", "subject", "time", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {
            "type": "string",
            "format": "uuid",
            "description": "an event that comes again has the same id",
        },
        "source": {"type": "string", "examples": ["orderly/orders"]},
        "type": {"type": "string"},
        "subject": {"type": "string", "description": "what the event is about"},
        "time": {"type": "string", "format": "date-time"},
        "sequence": {
            "type": "integer",
            "minimum": 1,
            "description": "Orders numbers its facts per order, without gaps",
        },
        "traceparent": {"type": "string", "description": "W3C Trace Context"},
        "datacontenttype": {"const": "application/json"},
        "data": {"description": "fields may be added: skip what you do not know"},
    },
}


def documents() -> dict[str, str]:
    """The name and text of every file about the events."""
    written = {"asyncapi.json": asyncapi()}
    for event in _events():
        written[f"{event.type}.json"] = schema(event)
    return _as_text(written)


def topology() -> dict[str, str]:
    """What Terraform makes topics, queues and subscriptions from."""
    queues = [
        {
            **asdict(queue),
            "hears": queue.hears and queue.hears.name,
            "dead_letters": queue.dead_letters,
        }
        for queue in TOPOLOGY.queues
    ]
    topics = [topic.name for topic in TOPOLOGY.topics]
    return _as_text({"topology.json": {"topics": topics, "queues": queues}})


def _as_text(documents: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        for name, document in documents.items()
    }


def schema(event: type[Event]) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{event.type}.json",
        **_described(event),
    }


def _described(event: type[Event]) -> dict[str, Any]:
    _, parts = msgspec.json.schema_components([event], ref_template="#/$defs/{name}")
    for part in parts.values():
        if "description" in part:
            part["description"] = cleandoc(part["description"])
    itself = parts.pop(event.__name__)
    return {**itself, "$defs": parts} if parts else itself


def asyncapi() -> dict[str, Any]:
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Orderly's events",
            "version": "1",
            "description": "CloudEvents 1.0 over SNS and SQS. A message is a JSON array"
            " of events (the CloudEvents batch format). Delivery is at least once, and"
            " in any order.",
        },
        "defaultContentType": "application/cloudevents-batch+json",
        "channels": {topic.name: _channel(topic) for topic in ANNOUNCED},
        "operations": dict(_operations()),
        "components": {
            "schemas": {"CloudEvent": dict(CLOUD_EVENT)},
            "messages": {event.type: _message(event) for event in _events()},
        },
    }


def _events() -> Iterator[type[Event]]:
    for events in ANNOUNCED.values():
        yield from events


def _channel(topic: Topic) -> dict[str, Any]:
    names = [event.type for event in ANNOUNCED[topic]]
    return {
        "address": topic.name,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
    }


def _operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for topic in ANNOUNCED:
        channel = {"$ref": f"#/channels/{topic.name}"}
        yield f"announce-to-{topic.name}", {"action": "send", "channel": channel}
    for queue in TOPOLOGY.queues:
        if queue.hears:
            channel = {"$ref": f"#/channels/{queue.hears.name}"}
            yield queue.name, {"action": "receive", "channel": channel}


def _message(event: type[Event]) -> dict[str, Any]:
    summary, _, more = (event.__doc__ or "").partition("\n\n")
    particular = {
        "properties": {
            "type": {"const": event.type},
            "data": {"$ref": f"./{event.type}.json"},
        }
    }
    described = {"description": " ".join(more.split())} if more else {}
    return {
        "name": event.type,
        "summary": summary,
        **described,
        "payload": {
            "type": "array",
            "items": {
                "allOf": [{"$ref": "#/components/schemas/CloudEvent"}, particular]
            },
        },
    }


def _stale(folder: Path, wanted: Mapping[str, str]) -> list[str]:
    there = {path.name: path.read_text() for path in folder.glob("*.json")}
    names = sorted(there.keys() | wanted.keys())
    return [name for name in names if there.get(name) != wanted.get(name)]


def main() -> None:
    match sys.argv[1:]:
        case ["--check", events, topology_folder]:
            _check(Path(events), documents())
            _check(Path(topology_folder), topology())
        case [events, topology_folder] if events != "--check":
            write(Path(events), documents())
            write(Path(topology_folder), topology())
        case _:
            sys.exit("usage: python -m contracts [--check] EVENTS TOPOLOGY (folders)")


def _check(folder: Path, wanted: Mapping[str, str]) -> None:
    if stale := _stale(folder, wanted):
        sys.exit(f"Stale in {folder}: {', '.join(stale)}. Write anew: make fmt")


def write(folder: Path, wanted: Mapping[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in _stale(folder, wanted):
        if name in wanted:
            (folder / name).write_text(wanted[name])
        else:
            (folder / name).unlink()


if __name__ == "__main__":
    main()
