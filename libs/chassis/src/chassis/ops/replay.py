"""Announcing again from the event log, for who lost what was announced."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import RowMapping

from chassis import replays
from chassis.bodies import RequestBody, reads, text
from chassis.database import Tx
from chassis.errors import NotFound
from chassis.idempotency import Answer, Once
from chassis.moments import Moment
from chassis.replays import Sought
from chassis.routing import HttpRouter
from chassis.web import database_of, respond

router = HttpRouter()


class ReplayNotFound(NotFound):
    code = "replay_not_found"


class ReplayBody(RequestBody):
    """Which events to announce again; at least `from` or `subject` says which."""

    since: Moment | None = Field(
        default=None, alias="from", description="announced at or after this moment"
    )
    until: Moment | None = Field(
        default=None, alias="to", description="announced before it"
    )
    types: (
        Annotated[
            tuple[Annotated[str, text(100)], ...],
            Field(min_length=1, max_length=50, strict=False),
        ]
        | None
    ) = None
    subject: Annotated[str, text(255)] | None = None

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"from": "2026-03-01T09:00:00Z", "to": "2026-03-01T10:00:00Z"},
                {"subject": "5f0c5b0e-6d0a-5c55-9c39-3f6d6cf0a0a1"},
            ]
        }
    )

    @model_validator(mode="after")
    def _is_bounded(self) -> Self:
        if self.since is None and self.subject is None:
            raise ValueError(
                "say `from` or `subject`: the log is more than a year long"
            )
        if self.since and self.until and self.until <= self.since:
            raise ValueError("`to` is not after `from`")
        return self


class ReplayView(BaseModel):
    id: UUID
    status: Literal["running", "completed"]
    since: datetime | None = Field(serialization_alias="from")
    until: datetime | None = Field(serialization_alias="to")
    types: list[str] | None
    subject: str | None
    published: int = Field(description="events announced again so far")
    reached: int | None = Field(description="the position in the log it has come to")
    last: int = Field(description="the position where it ends")
    requested_at: datetime
    completed_at: datetime | None

    model_config = ConfigDict(
        serialize_by_alias=True,
        json_schema_extra={
            "examples": [
                {
                    "id": "0198c5a6-2f0e-7c3a-8a55-6d8f1d6b8a01",
                    "status": "running",
                    "from": "2026-03-01T09:00:00Z",
                    "to": "2026-03-01T10:00:00Z",
                    "types": None,
                    "subject": None,
                    "published": 4000,
                    "reached": 86000,
                    "last": 120000,
                    "requested_at": "2026-03-01T11:30:00Z",
                    "completed_at": None,
                }
            ]
        },
    )

    @classmethod
    def of(cls, row: RowMapping) -> Self:
        status = "completed" if row["completed_at"] else "running"
        return cls.model_validate({**row, "status": status})


@router.post("/replay", status_code=202, response_model=ReplayView)
async def replay_events(
    body: Annotated[ReplayBody, reads(ReplayBody)], once: Once, request: Request
) -> Response:
    """Announce events again under their own ids: who handled them ignores them."""
    sought = Sought(
        since=body.since, until=body.until, types=body.types, subject=body.subject
    )

    async def work(tx: Tx) -> Answer:
        client_id = request.state.caller.client_id
        row = await replays.request(tx, sought, requested_by=client_id)
        location = f"{request.url.path}/{row['id']}"
        return Answer(202, ReplayView.of(row), location)

    return await once.answer(body, work)


@router.get("/replay/{replay_id}", response_model=ReplayView)
async def get_replay(replay_id: UUID, request: Request) -> Response:
    """Show how far a replay has come."""
    row = await database_of(request).transact(replays.get, replay_id)
    if row is None:
        raise ReplayNotFound("There is no such replay.")
    return respond(request, ReplayView.of(row))
