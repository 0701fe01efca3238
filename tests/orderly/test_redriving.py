"""What `orderly dead-letters` says of what it found, and of what it redrove."""

import json

import httpx
import pytest

from orderly import letters
from orderly.cli.dead_letters import tell_redriven
from orderly.errors import StackError
from orderly.operations import Operations, Redriven, find_dead_letters, redrive


def test_what_sqs_did_not_delete_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    tell_redriven(Redriven(2, kept=frozenset({"letter-7"})))

    assert "Redriven: 2 dead letters." in (said := capsys.readouterr().out)
    assert "letter-7" in said


def test_what_is_nowhere_is_named_and_is_a_failure() -> None:
    with pytest.raises(StackError, match="Not found: letter-8"):
        tell_redriven(Redriven(1, nowhere=frozenset({"letter-8"})))


def test_that_there_was_nothing_to_do_is_no_failure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tell_redriven(Redriven(0))

    assert "There are no dead letters." in capsys.readouterr().out


LETTER = {"id": "letter-7", "event": None, "error": "no such thing", "queue": "q"}
SEEN = {"first_seen": None, "last_seen": None, "times": 1, "trace": None}
ANSWERS = {
    "dead-letters": {"items": [LETTER | SEEN], "more": False},
    "queues": {"items": [{"dead_letters": 1}]},
    "redrive": {"redriven": 1, "kept": [], "not_found": [], "more": False},
}


def with_these_away(*away: str) -> Operations:
    """Three services with a dead letter each, of which these do not answer."""

    def answer(request: httpx.Request) -> httpx.Response:
        _, _, service, *_, asked = request.url.path.split("/")
        if service in away:
            return httpx.Response(503, json={"detail": "The service does not answer."})
        return httpx.Response(200, json=ANSWERS[asked])

    transport = httpx.MockTransport(answer)
    return Operations(httpx.AsyncClient(base_url="http://shop", transport=transport))


async def test_a_service_that_is_away_hides_no_other_services_dead_letters() -> None:
    found = await find_dead_letters(with_these_away("inventory", "orders"))

    shown = json.loads(letters.as_json(found))
    assert [letter["service"] for letter in shown["items"]] == ["accounting"]
    assert shown["away"] == ["orders", "inventory"]


@pytest.mark.parametrize("ids", [["letter-7"], []])
async def test_a_service_that_is_away_keeps_no_other_from_redriving(
    ids: list[str],
) -> None:
    done = await redrive(with_these_away("inventory"), ids)

    assert (done.count, list(done.away)) == (2, ["inventory"])
    with pytest.raises(StackError, match="inventory: no answer"):
        tell_redriven(done)


async def test_where_no_service_answers_it_says_why() -> None:
    with pytest.raises(StackError, match="does not answer"):
        await find_dead_letters(with_these_away("orders", "inventory", "accounting"))
