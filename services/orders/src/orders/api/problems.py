"""What a route may refuse, for its description: each kind with an example."""

from collections import defaultdict
from typing import Any

from chassis.errors import Fault, Refused
from chassis.problems import shown

Responses = dict[int | str, dict[str, Any]]


def problems(instance: str, *refused: Refused) -> Responses:
    """A route's `responses`, by status, with an example for each code."""
    by_status: defaultdict[int, list[Refused]] = defaultdict(list)
    for one in refused:
        by_status[int(one.status)].append(one)
    return {
        status: {
            "description": ", ".join(one.code for one in same),
            "content": shown(instance, same),
        }
        for status, same in by_status.items()
    }


def pointed(kind: type[Refused], detail: str, pointer: str, fault: str) -> Refused:
    return kind(detail, faults=[Fault(pointer, fault)])
