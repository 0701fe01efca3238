from typing import Annotated

import pytest
from fastapi import APIRouter

from chassis import web
from chassis.auth import Caller, needs
from chassis.testing import eventually, routes_without_scope, serving
from sample.main import SERVICE, router


def test_routes_that_state_a_scope_are_fine():
    app = web.create_app("sample", description="", routers=[router])

    assert routes_without_scope(app) == []


def test_routes_that_state_none_are_named():
    careless = APIRouter(prefix="/v1/careless")

    @careless.get("/open")
    async def open_to_all() -> None:
        raise NotImplementedError

    @careless.post("/empty", include_in_schema=False)
    async def needs_nothing(_: Annotated[Caller, needs()]) -> None:
        raise NotImplementedError

    app = web.create_app("careless", description="", routers=[router, careless])

    assert routes_without_scope(app) == [
        "GET /v1/careless/open",
        "POST /v1/careless/empty",
    ]


async def test_what_never_happens_fails_in_time():
    async def never() -> bool:
        return False

    with pytest.raises(AssertionError, match="not within"):
        await eventually(never, within_s=0.05, every_s=0.01)


async def test_a_service_can_be_asked_without_a_process(database, aws, issuer):
    async with serving(SERVICE, database, aws, [issuer.trusted]) as client:
        assert (await client.get("/v1/sample/openapi.json")).status_code == 200
