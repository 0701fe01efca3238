"""Places where tests have a process die: between what is done and what should follow.

`ORDERLY_FAILPOINTS` names a file with a line for each death to come, as in
`committed orders.commands.placing.place_orders @2`. A process takes the first line and
dies at its second arrival there; who is started next finds the next line first. Without
the variable each place costs a comparison.
"""

import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

VARIABLE = "ORDERLY_FAILPOINTS"
PLACES: Mapping[str, str] = {
    "worked": "a transaction has done its work, and is not committed",
    "committed": "it is committed, and who asked for it does not know",
    "received": "messages are in hand, and nothing is done about them",
    "applied": "their events are applied, and not committed",
    "handled": "that is committed, and they are not deleted",
    "published": "SNS has taken events, and we have not noted it",
    "sent": "a queue has taken messages, and we have not noted it",
    "deleted": "a queue has forgotten messages, and we still think of them",
}


@dataclass
class Death:
    """Where the process is to die: at the n-th arrival."""

    place: str
    detail: str
    arrivals_left: int

    @classmethod
    def read(cls, line: str) -> "Death":
        match line.split():
            case [place, detail, nth] if place in PLACES and nth.startswith("@"):
                return cls(place, detail, int(nth.removeprefix("@")))
        raise ValueError(f"not a place to die at: {line!r}")


@dataclass
class _Armed:
    file: Path
    death: Death


_armed: _Armed | None = None


def arm(environment: Mapping[str, str] = os.environ) -> None:
    """Take the next death upon this process, if there is any to come."""
    global _armed  # noqa: PLW0603 - a process has one death
    _armed = None
    if VARIABLE not in environment:
        return
    file = Path(environment[VARIABLE])
    if lines := file.read_text().splitlines():
        _armed = _Armed(file, Death.read(lines[0]))
        log.warning("This process is to die", at=lines[0])


def reach(place: str, *details: object) -> None:
    """Die here, if that is what was asked for: by one of what it is about.

    That is a name or a piece of work, or several; nobody looks at them otherwise.
    """
    if _armed is not None and _armed.death.place == place:
        _arrive(_armed, {name for detail in details for name in _names(detail)})


def _arrive(armed: _Armed, names: set[str]) -> None:
    if armed.death.detail not in names:
        return
    armed.death.arrivals_left -= 1
    if not armed.death.arrivals_left:
        _forget_first_line(armed.file)
        os.kill(os.getpid(), signal.SIGKILL)


def _forget_first_line(file: Path) -> None:
    _, *left = file.read_text().splitlines(keepends=True)
    new = file.with_suffix(".new")
    new.write_text("".join(left))
    new.replace(file)


def _names(detail: object) -> Iterator[str]:
    match detail:
        case str():
            yield detail
        case tuple() | Iterator():
            for one in detail:
                yield from _names(one)
        case partial():
            yield from _names(detail.func)
        case _ if hasattr(detail, "__qualname__"):
            yield f"{detail.__module__}.{detail.__qualname__}"
