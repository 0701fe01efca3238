import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from fastapi import Request

from chassis import web
from chassis.database import Tx
from chassis.pages import Page, Paged, Window
from chassis.routing import HttpRouter

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
papers = sa.Table(
    "papers",
    sa.MetaData(),
    sa.Column("at", sa.DateTime(timezone=True)),
    sa.Column("id", sa.Uuid),
    sa.Column("number", sa.Integer),
)
router = HttpRouter()


def cursor_of(key: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


async def page_of(tx: Tx, window: Window, *, newest_first: bool = False) -> Page[int]:
    query = window.of(
        sa.select(papers), papers.c.at, papers.c.id, newest_first=newest_first
    )
    rows = (await tx.execute(query)).all()
    items, cursor = window.page(rows, lambda row: (row.at, row.id))
    return Page(items=[row.number for row in items], next_cursor=cursor)


@router.get("/papers")
async def list_papers(paged: Paged, request: Request) -> Page[int]:
    return await page_of(request.app.state.tx, paged)


@router.get("/papers/by-number")
async def list_by_number(paged: Paged, request: Request) -> list[int]:
    query = paged.of(sa.select(papers.c.number), papers.c.number)
    return list((await request.app.state.tx.execute(query)).scalars())


@pytest.fixture
async def pages(tx: Tx) -> AsyncIterator[httpx.AsyncClient]:
    """Ten papers, of which several have the same time."""
    await tx.run_sync(papers.create)
    rows = [
        {"at": START + timedelta(seconds=n // 4), "id": UUID(int=n), "number": n}
        for n in range(10)
    ]
    await tx.execute(sa.insert(papers), rows)
    app = web.create_app("papers", description="", routers=[router])
    app.state.tx = tx
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.mark.parametrize("limit", [1, 3, 4, 5, 9, 10, 11])
async def test_pages_follow_each_other_without_gap_or_repetition(pages, limit):
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = await pages.get("/papers", params={"limit": limit, "cursor": cursor})
        seen += answer.json()["items"]
        cursor = answer.json()["next_cursor"]

    assert seen == list(range(10))


@pytest.mark.parametrize(("limit", "more"), [(9, True), (10, False), (11, False)])
async def test_the_last_page_says_that_it_is_the_last(pages, limit, more):
    answer = await pages.get("/papers", params={"limit": limit})

    assert (answer.json()["next_cursor"] is not None) is more


@pytest.mark.usefixtures("pages")
async def test_the_newest_may_come_first(tx):
    first = await page_of(tx, Window(6, None), newest_first=True)
    assert first.next_cursor

    after = json.loads(base64.urlsafe_b64decode(first.next_cursor + "==="))
    second = await page_of(tx, Window(6, tuple(after)), newest_first=True)

    assert first.items + second.items == list(range(9, -1, -1))
    assert second.next_cursor is None


async def test_new_rows_shift_nothing(pages, tx):
    first = (await pages.get("/papers?limit=4")).json()
    earlier = {"at": START, "id": UUID(int=0), "number": -1}
    await tx.execute(sa.insert(papers).values(earlier))

    cursor = first["next_cursor"]
    second = await pages.get("/papers", params={"limit": 4, "cursor": cursor})

    assert second.json()["items"] == [4, 5, 6, 7]


@pytest.mark.parametrize(
    "limit", ["0", "201", "-1", "many", "1.0", "1e1", "+1", "1_0", " 1", "\u0661"]
)
async def test_a_limit_out_of_bounds_is_422(pages, limit):
    answer = await pages.get("/papers", params={"limit": limit})

    assert answer.json()["errors"][0]["pointer"] == "#limit"


@pytest.mark.parametrize(
    "cursor",
    [
        "made up",
        "=",
        "ü",
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        base64.urlsafe_b64encode(b"[" * 700).decode(),
        base64.urlsafe_b64encode(b'["\\ud800", "\\ud800"]').decode(),
        cursor_of("text"),
        cursor_of(None),
        cursor_of({"a": 1}),
        cursor_of([]),
        cursor_of([str(START)]),
        cursor_of([str(START), str(UUID(int=1)), 1]),
        cursor_of(["yesterday", str(UUID(int=1))]),
        cursor_of(["2026-11-21T12:00:00", str(UUID(int=1))]),
        cursor_of([str(START), "no uuid"]),
        cursor_of([str(START), "\x00"]),
        cursor_of([None, None]),
        cursor_of([[], {}]),
        cursor_of([1e400, 1]),
    ],
)
async def test_a_cursor_that_was_made_up_is_refused(pages, cursor):
    answer = await pages.get("/papers", params={"cursor": cursor})

    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_malformed")


@pytest.mark.parametrize("number", [2**31, -(2**31), 2**63, 2**70, "x" * 500])
async def test_a_cursor_that_no_column_can_hold_is_refused(pages, number):
    cursor = cursor_of([number])
    answer = await pages.get("/papers/by-number", params={"cursor": cursor})

    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_malformed")
