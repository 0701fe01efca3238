"""The operations of a running stack, asked for over its API."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias, TypeVar

import httpx

from orderly.errors import StackError
from orderly.stack.services import NAMES

JSON: TypeAlias = dict[str, Any]
Answer = TypeVar("Answer")

PAGE = 200
ANSWERS_WITHIN_S = 120  # a digest of millions of orders takes its time


class Refused(StackError):
    """It answers, and does not do this: asking again would not help."""


@dataclass(frozen=True)
class Redriven:
    """`kept`: back on their queues, and among the dead letters too; `nowhere`: those
    that were asked for and are neither.
    """

    count: int
    kept: frozenset[str] = frozenset()
    nowhere: frozenset[str] = frozenset()
    away: Sequence[str] = ()  # services that did not answer


class Operations:
    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def digest(self, service: str) -> JSON:
        return await self._ask("GET", service, "digest")

    async def orders_in(self, service: str, bucket: str) -> AsyncIterator[JSON]:
        """The figures of each order of a bucket."""
        cursor: JSON = {}
        while True:
            asked = {"bucket": bucket, "limit": PAGE, **cursor}
            page = await self._ask("GET", service, "digest", params=asked)
            for item in page["items"]:
                yield item
            if page["next_cursor"] is None:
                return
            cursor = {"cursor": page["next_cursor"]}

    async def orders(self, service: str, ids: Sequence[str]) -> list[JSON]:
        """The figures of at most a page of orders that are known there."""
        asked = {"order_id": list(ids)}
        page = await self._ask("GET", service, "digest", params=asked)
        return list(page["items"])

    async def queues(self, service: str) -> list[JSON]:
        return list((await self._ask("GET", service, "queues"))["items"])

    async def outbox(self, service: str) -> JSON:
        return await self._ask("GET", service, "outbox")

    async def newest_orders(self, **like: str) -> JSON:
        """A page of the newest orders that are like this."""
        return await self._request("GET", "/v1/orders", params={"limit": PAGE, **like})

    async def counts(self, *, minutes: int) -> JSON:
        return await self._request(
            "GET", "/v1/orders/counts", params={"minutes": minutes}
        )

    async def dead_letters(self, service: str) -> JSON:
        return await self._ask("GET", service, "dead-letters")

    async def redrive(self, service: str, ids: Sequence[str] | None) -> JSON:
        return await self._ask(
            "POST", service, "dead-letters/redrive", json={"ids": ids}
        )

    async def _ask(self, method: str, service: str, path: str, **asked: Any) -> JSON:
        return await self._request(method, f"/v1/{service}/ops/{path}", **asked)

    async def _request(self, method: str, path: str, **asked: Any) -> JSON:
        try:
            answer = await self._http.request(method, path, **asked)
        except httpx.TransportError as error:
            raise StackError(
                f"{self._http.base_url} does not answer ({error!r})."
                " Does it run? `orderly status` shows what runs here."
            ) from error
        if not answer.is_success:
            kind = Refused if answer.is_client_error else StackError
            raise kind(
                f"{method} {answer.request.url.path} answered"
                f" {answer.status_code}: {_said(answer)}"
            )
        document: JSON = answer.json()
        return document


def _said(answer: httpx.Response) -> str:
    """What a problem says of itself; of what is none, all."""
    try:
        return str(answer.json()["detail"])
    except (ValueError, LookupError, TypeError):
        return answer.text


@asynccontextmanager
async def connect(url: str, token: str, *, local: bool) -> AsyncIterator[Operations]:
    async with httpx.AsyncClient(
        base_url=url,
        headers={"Authorization": f"Bearer {token}"},
        timeout=ANSWERS_WITHIN_S,
        trust_env=not local,
    ) as http:
        yield Operations(http)


async def _of_each(
    ask: Callable[[str], Awaitable[Answer]],
) -> tuple[Mapping[str, Answer], Sequence[str]]:
    """What the services answer, by their names, and which do not: unless none does."""
    answers = await asyncio.gather(*map(ask, NAMES), return_exceptions=True)
    found: dict[str, Answer] = {}
    away: dict[str, StackError] = {}
    for name, answer in zip(NAMES, answers, strict=True):
        if isinstance(answer, StackError) and not isinstance(answer, Refused):
            away[name] = answer
        elif isinstance(answer, BaseException):
            raise answer
        else:
            found[name] = answer
    if not found:
        raise away[NAMES[0]]
    return found, list(away)


@dataclass(frozen=True)
class DeadLetters:
    """What each service has put aside, as far as it shows it; who did not answer."""

    of: Mapping[str, JSON]
    away: Sequence[str]


async def find_dead_letters(operations: Operations) -> DeadLetters:
    return DeadLetters(*await _of_each(operations.dead_letters))


async def redrive(operations: Operations, ids: Sequence[str]) -> Redriven:
    """Redrive these, or all that are there now: a service that is away keeps no other
    from it.
    """
    if not ids:
        done, away = await _of_each(partial(_redrive_all, operations))
        return Redriven(
            count=sum(one.count for one in done.values()),
            kept=frozenset[str]().union(*(one.kept for one in done.values())),
            away=away,
        )
    found, away = await _of_each(partial(operations.redrive, ids=list(ids)))
    answers = found.values()
    return Redriven(
        count=sum(int(answer["redriven"]) for answer in answers),
        kept=frozenset(letter for answer in answers for letter in answer["kept"]),
        nowhere=frozenset.intersection(
            *(frozenset(answer["not_found"]) for answer in answers)
        ),
        away=away,
    )


async def _redrive_all(operations: Operations, service: str) -> Redriven:
    """Ask until nothing is left, but not for ever: what fails again comes back."""
    queues = await operations.queues(service)
    there = sum(int(queue["dead_letters"] or 0) for queue in queues)
    redriven: int = 0
    kept: set[str] = set()
    while True:
        answer = await operations.redrive(service, None)
        redriven += int(answer["redriven"])
        kept.update(answer["kept"])
        if not answer["more"] or redriven >= there:
            return Redriven(redriven, frozenset(kept))
