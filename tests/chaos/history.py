"""What clients asked and were told: every attempt, in a file, a line each."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import httpx
from typing_extensions import override

JSON: TypeAlias = dict[str, Any]

# To which process of a service this attempt goes.
Choose: TypeAlias = Callable[[str], str]


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One request, and what became of it as far as its client knows."""

    began: float
    ended: float
    member: str
    method: str
    path: str
    key: str | None
    asked: str
    status: int | None  # None: no answer, so nobody knows
    answer: str
    location: str | None
    replayed: bool
    error: str | None = None

    @property
    def known(self) -> bool:
        """Whether the client was told what became of it."""
        return self.status is not None and self.status < 500

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    def told(self) -> JSON:
        document: JSON = json.loads(self.answer)
        return document


class Recording(httpx.AsyncBaseTransport):
    """Sends each request to a process of the service it is for, and notes it all."""

    def __init__(
        self, addresses: Mapping[str, int], choose: Choose, file: Path
    ) -> None:
        self._addresses = addresses
        self._choose = choose
        self._file = file.open("w")
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=60)
        self._real = httpx.AsyncHTTPTransport(limits=limits)
        self.attempts: list[Attempt] = []

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        member = self._choose(request.url.path.split("/")[2])
        asked = (await request.aread()).decode()
        request.url = request.url.copy_with(
            host="127.0.0.1", port=self._addresses[member]
        )
        began = time.monotonic()
        try:
            answer = await self._real.handle_async_request(request)
            content = await answer.aread()
        except BaseException as error:  # who stops waiting does not know either
            self._note(request, member, asked, began, error=repr(error))
            raise
        self._note(
            request,
            member,
            asked,
            began,
            status=answer.status_code,
            answer=content.decode(),
            location=answer.headers.get("location"),
            replayed="idempotent-replayed" in answer.headers,
        )
        headers = [
            (name, value)
            for name, value in answer.headers.raw
            if name.lower() not in {b"content-encoding", b"content-length"}
        ]
        return httpx.Response(answer.status_code, headers=headers, content=content)

    def _note(
        self,
        request: httpx.Request,
        member: str,
        asked: str,
        began: float,
        **outcome: Any,
    ) -> None:
        nothing = {"status": None, "answer": "", "location": None, "replayed": False}
        attempt = Attempt(
            began=began,
            ended=time.monotonic(),
            member=member,
            method=request.method,
            path=request.url.path,
            key=request.headers.get("idempotency-key"),
            asked=asked,
            **nothing | outcome,
        )
        self.attempts.append(attempt)
        self._file.write(json.dumps(asdict(attempt)) + "\n")

    @override
    async def aclose(self) -> None:
        await self._real.aclose()
        self._file.close()
