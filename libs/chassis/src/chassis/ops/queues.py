"""How much waits in the service's queues, and for how long."""

import asyncio
from datetime import UTC, datetime

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field

from chassis.ops import Desk, desk_of
from chassis.pages import Page
from chassis.queues import NO_ANSWER, Aws
from chassis.routing import HttpRouter
from chassis.topology import Queue
from chassis.web import respond

ANSWERS_WITHIN_S = 5

router = HttpRouter()


class QueueView(BaseModel):
    """A queue and its dead letters. Counts are SQS's, which calls them approximate."""

    name: str
    depth: int | None = Field(description="messages that wait")
    in_flight: int | None = Field(description="messages that somebody has in hand")
    age: int | None = Field(
        description="for how many seconds the oldest message has waited, at most: as"
        " this process saw it when it last received. null: it receives nothing here"
    )
    dead_letters: int | None = Field(description="messages that were put aside")
    error: str | None = Field(description="why the figures are missing, if they are")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "orderly-orders-from-inventory",
                    "depth": 12,
                    "in_flight": 10,
                    "age": 1,
                    "dead_letters": 0,
                    "error": None,
                }
            ]
        }
    )


@router.get("/queues", response_model=Page[QueueView])
async def list_queues(request: Request) -> Response:
    """Show the queues that this service hears; one that is away says so."""
    desk: Desk = desk_of(request)
    views = await asyncio.gather(*(_look(desk.aws, queue) for queue in desk.queues))
    return respond(request, Page[QueueView](items=views, next_cursor=None))


async def _look(aws: Aws, queue: Queue) -> QueueView:
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            found, dead = await asyncio.gather(
                aws.count(queue.name), aws.depth(queue.dead_letters)
            )
    except NO_ANSWER as error:
        return QueueView(
            name=queue.name,
            depth=None,
            in_flight=None,
            age=None,
            dead_letters=None,
            error=type(error).__name__,
        )
    return QueueView(
        name=queue.name,
        depth=found.waiting,
        in_flight=found.in_flight,
        age=_age(aws, queue) if found.total else 0,
        dead_letters=dead,  # in flight: somebody looks
        error=None,
    )


def _age(aws: Aws, queue: Queue) -> int | None:
    since = aws.waits_since(queue.name)
    if since is None:
        return None
    return max(0, int((datetime.now(UTC) - since).total_seconds()))
