from collections.abc import MutableMapping
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from chassis.batching import TooManyWaiting
from chassis.errors import Conflict, Unavailable
from chassis.routing import HttpRouter
from chassis.web import create_app


async def logged(path: str, which: str) -> list[MutableMapping[str, Any]]:
    """The lines of one request, of the access log alone."""
    router = HttpRouter()

    @router.get("/notes/{note_id}")
    async def get_note(note_id: str) -> str:
        match note_id:
            case "taken":
                raise Conflict("Somebody has it.")
            case "crowd":
                raise TooManyWaiting("Later.")
            case "away":
                raise Unavailable("Not now.")
            case "broken":
                raise ValueError("c-42")
            case _:
                return note_id

    @router.get("/healthz")
    async def healthz() -> None:
        pass

    app = create_app("sample", description="A sample.", routers=[router])
    app.state.access_log = which
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://sample", trust_env=False
    ) as http:
        with capture_logs() as lines:
            await http.get(path)
    return [line for line in lines if "ms" in line]


async def test_a_line_says_what_was_asked_how_it_ended_and_how_long_it_took():
    (line,) = await logged("/notes/1", "all")

    assert (line["method"], line["path"], line["status"]) == ("GET", "/notes/1", 200)
    assert line["log_level"] == "info"
    assert 0 <= line["ms"] < 10_000


async def test_a_line_names_what_the_path_is_about():
    (line,) = await logged("/notes/1", "all")

    assert line["note_id"] == "1"


async def test_a_refusal_is_told_by_its_code():
    (line,) = await logged("/notes/taken", "all")

    assert (line["status"], line["outcome"]) == (409, "conflict")


async def test_what_was_searched_for_is_not_told():
    (line,) = await logged("/notes/1?customer_id=c-42", "all")

    assert "c-42" not in str(line)


@pytest.mark.parametrize(("path", "status"), [("away", 503), ("broken", 500)])
async def test_failures_are_told_also_where_the_rest_is_not(path: str, status: int):
    (line,) = await logged(f"/notes/{path}", "failures")

    assert (line["status"], line["log_level"]) == (status, "warning")


@pytest.mark.parametrize("path", ["1", "taken", "crowd"])
async def test_what_is_no_failure_is_not_told_there(path: str):
    assert await logged(f"/notes/{path}", "failures") == []


async def test_who_is_turned_away_in_a_crowd_is_told_when_all_are():
    (line,) = await logged("/notes/crowd", "all")

    assert (line["status"], line["outcome"]) == (503, "too_many_waiting")


@pytest.mark.parametrize(("path", "which"), [("/healthz", "all"), ("/notes/1", "none")])
async def test_health_checks_are_never_told_and_sometimes_nothing_is(path, which):
    assert await logged(path, which) == []
