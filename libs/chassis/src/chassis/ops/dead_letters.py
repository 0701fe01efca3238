"""Dead letters as people see them, and how they are put back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from chassis import dead_letters
from chassis.bodies import RequestBody, reads, text
from chassis.dead_letters import REDRIVES_AT_MOST
from chassis.ops import desk_of
from chassis.routing import HttpRouter
from chassis.web import respond

MOST = 100

router = HttpRouter()


class DeadEventView(BaseModel):
    """The first event of the message, as far as it can be read."""

    model_config = ConfigDict(from_attributes=True)

    id: str | None
    type: str | None
    subject: str | None


class DeadLetterView(BaseModel):
    id: str = Field(description="the same at every look, until it is redriven")
    queue: str = Field(description="where it comes from, and goes when it is redriven")
    event: DeadEventView | None
    events: int = Field(
        description="in this message; more than one: it killed its process, not itself"
    )
    error: str | None = Field(
        description="null: SQS put it aside, since nobody lived to handle it"
    )
    trace: str | None
    first_seen: datetime | None
    last_seen: datetime | None
    times: int = Field(description="how often it was put aside: redriven, and again")
    received: int = Field(description="how often it was received, looks included")

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "id": "9d3b0b0e-6a54-4d5c-9c6b-0f2a9c1f7a11",
                    "queue": "orderly-orders-from-inventory",
                    "event": {
                        "id": "0198c5a6-2eaa-7d10-9d4b-0c1d2e3f4a5b",
                        "type": "inventory.reservation_changed.v1",
                        "subject": "5f0c5b0e-6d0a-5c55-9c39-3f6d6cf0a0a1",
                    },
                    "events": 1,
                    "error": "Contradiction: 3 units were ordered, and 4 requested",
                    "trace": "Traceback (most recent call last): …",
                    "first_seen": "2026-03-01T09:30:00Z",
                    "last_seen": "2026-03-01T09:30:00Z",
                    "times": 1,
                    "received": 1,
                }
            ]
        },
    )


def _show_letters(schema: JsonDict) -> None:
    letters = DeadLetterView.model_json_schema()["examples"]
    schema["examples"] = [{"items": letters, "more": False}]


class DeadLettersView(BaseModel):
    items: list[DeadLetterView]
    more: bool = Field(description="there are more than these, or somebody has some")

    model_config = ConfigDict(json_schema_extra=_show_letters)


class RedriveBody(RequestBody):
    """Which dead letters to handle again; null: all that are there now."""

    ids: (
        Annotated[
            tuple[Annotated[str, text(100)], ...],
            Field(min_length=1, max_length=REDRIVES_AT_MOST, strict=False),
        ]
        | None
    )

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"ids": ["9d3b0b0e-6a54-4d5c-9c6b-0f2a9c1f7a11"]},
                {"ids": None},
            ]
        }
    )


class RedrivenView(BaseModel):
    redriven: int
    not_found: list[str] = Field(description="redriven before, or never there")
    kept: list[str] = Field(
        description="redriven, and still shown, since SQS did not delete them;"
        " their events have their effect once, however often they are redriven"
    )
    more: bool = Field(description="it was more than one request does: ask again")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"redriven": 2, "not_found": [], "kept": [], "more": False}]
        }
    )


@router.get("/dead-letters", response_model=DeadLettersView)
async def list_dead_letters(
    request: Request, limit: Annotated[int, Query(ge=1, le=MOST)] = MOST
) -> Response:
    """Look at dead letters, the oldest first; they stay where they are."""
    desk = desk_of(request)
    async with desk.taking:
        seen = await dead_letters.look(desk.aws, desk.queues, most=limit)
    items = [DeadLetterView.model_validate(letter) for letter in seen.letters]
    return respond(request, DeadLettersView(items=items, more=seen.more))


@router.post("/dead-letters/redrive", response_model=RedrivenView)
async def redrive_dead_letters(
    body: Annotated[RedriveBody, reads(RedriveBody)], request: Request
) -> Response:
    """Put dead letters back on their queues.

    Takes no Idempotency-Key: what was redriven is not found a second time, and what
    comes twice has its effect once.
    """
    desk = desk_of(request)
    async with desk.taking:
        done = await dead_letters.redrive(desk.aws, desk.queues, body.ids)
    return respond(
        request,
        RedrivenView(
            redriven=len(done.ids),
            not_found=_missing(body.ids or (), done.ids),
            kept=sorted(done.kept),
            more=done.more,
        ),
    )


def _missing(asked: Sequence[str], redriven: frozenset[str]) -> list[str]:
    return [id_ for id_ in dict.fromkeys(asked) if id_ not in redriven]
