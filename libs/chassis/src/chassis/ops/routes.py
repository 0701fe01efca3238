"""Puts the routes of operations under `/v1/<service>/ops`, for holders of `ops`."""

from fastapi import FastAPI

from chassis.auth import needs_staff
from chassis.ops import Desk, dead_letters, digest, queues, replay

OPERATORS = needs_staff("ops")


def add_to(app: FastAPI, service: str, desk: Desk) -> None:
    app.state.desk = desk
    for router in (queues.router, dead_letters.router, replay.router, digest.router):
        app.include_router(
            router,
            prefix=f"/v1/{service}/ops",
            tags=["operations"],
            dependencies=[OPERATORS],
        )
