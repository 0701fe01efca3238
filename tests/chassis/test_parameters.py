from collections.abc import AsyncIterator
from typing import Annotated

import httpx
import pytest
from fastapi import Query
from pydantic import BaseModel

from chassis.pages import Paged
from chassis.routing import HttpRouter
from chassis.web import create_app

router = HttpRouter()


class Filter(BaseModel):
    colour: str | None = None


@router.get("/soaps")
async def list_soaps(
    window: Paged,
    wanted: Annotated[Filter, Query()],
    smells_of: Annotated[list[str] | None, Query(alias="smell")] = None,
) -> str:
    return f"{window.limit} {wanted.colour} {smells_of}"


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = create_app("soaps", description="Soaps.", routers=[router])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        yield client


async def test_what_the_route_knows_is_taken(client):
    answer = await client.get("/soaps?limit=5&colour=red&smell=fir&smell=lime")

    assert (answer.status_code, answer.json()) == (200, "5 red ['fir', 'lime']")


async def test_what_it_does_not_know_is_refused_and_says_what_there_is(client):
    answer = await client.get("/soaps?color=red&limit=5")

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    (fault,) = answer.json()["errors"]
    assert fault["pointer"] == "#color"
    assert "colour, smell, limit, cursor" in fault["detail"]


async def test_what_may_be_there_once_is_refused_twice(client):
    answer = await client.get("/soaps?colour=red&colour=blue")

    (fault,) = answer.json()["errors"]
    assert (answer.status_code, fault["pointer"]) == (422, "#colour")
