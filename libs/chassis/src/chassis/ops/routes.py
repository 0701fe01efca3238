"""Puts the routes of operations under `/v1/<service>/ops`, for holders of `ops`."""

from fastapi import FastAPI

from chassis.auth import needs_staff
from chassis.ops import Desk, dead_letters, digest, outbox, queues, replay

OPERATORS = needs_staff("ops")


def add_to(app: FastAPI, service: str, desk: Desk) -> None:
    app.state.desk = desk
    for part in (queues, outbox, dead_letters, replay, digest):
        app.include_router(
            part.router,
            prefix=f"/v1/{service}/ops",
            tags=["operations"],
            dependencies=[OPERATORS],
        )
