"""How much of what was announced is not published yet, and for how long."""

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field

from chassis import outbox
from chassis.routing import HttpRouter
from chassis.web import database_of, respond

router = HttpRouter()


class OutboxView(BaseModel):
    waiting: int = Field(description="events that are committed and not yet with SNS")
    age: int = Field(description="seconds since the oldest of them; 0: none waits")

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={"examples": [{"waiting": 12, "age": 3}]},
    )


@router.get("/outbox", response_model=OutboxView)
async def get_outbox(request: Request) -> Response:
    """Show what waits to be published."""
    backlog = await database_of(request).transact(outbox.count_waiting)
    return respond(request, OutboxView.model_validate(backlog))
