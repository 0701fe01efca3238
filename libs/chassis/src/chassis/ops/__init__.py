"""Operations, the same on every service: look inside, and put things right."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from fastapi import Request

from chassis.digest import Digest
from chassis.queues import Aws
from chassis.topology import Queue


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What the routes of operations work with."""

    aws: Aws
    queues: Sequence[Queue]
    digest: Digest
    # One at a time: two who take dead letters see halves, and two digests cost double.
    taking: asyncio.Lock = field(default_factory=asyncio.Lock)
    counting: asyncio.Lock = field(default_factory=asyncio.Lock)


def desk_of(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk
