"""A repeated POST has no second effect: the key gives the first answer again.

The answer is stored in the transaction that does the work, so that there is never one
without the other.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from pydantic import BaseModel
from sqlalchemy import (
    Column,
    DateTime,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    delete,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from chassis.auth import Caller
from chassis.database import Database, Tx
from chassis.errors import Malformed, Unprocessable
from chassis.headers import sent

KEPT = timedelta(days=30)
_KEY = re.compile(r"[\x21-\x7e]{1,255}")

metadata = MetaData()

answers = Table(
    "idempotency_answers",
    metadata,
    Column("client", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("status", SmallInteger),
    Column("location", Text),
    Column("body", Text),
    Column(
        "answered_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=text("now()"),
    ),
    PrimaryKeyConstraint("client", "operation", "key"),
)


class KeyMissing(Malformed):
    code = "idempotency_key_missing"


class KeyMalformed(Malformed):
    code = "idempotency_key_malformed"


class KeyReused(Unprocessable):
    code = "idempotency_key_reused"


@dataclass(frozen=True)
class Answer:
    """What a command's success looks like to the caller."""

    status: int
    body: BaseModel
    location: str | None = None


def key_of(request: Request) -> str:
    keys = sent(request, b"idempotency-key")
    if not keys:
        raise KeyMissing("Send an Idempotency-Key header: the same one when you retry.")
    if len(keys) > 1 or not _KEY.fullmatch(keys[0]):
        raise KeyMalformed(
            "One Idempotency-Key of 1 to 255 visible ASCII characters, please."
        )
    return keys[0]


def fingerprint(body: BaseModel | None) -> bytes:
    """Of what was understood, not of its bytes: spacing and order do not matter.

    Defaults are left out: a field that is new tomorrow changes no request of today.
    """
    told = body.model_dump_json(exclude_defaults=True) if body else ""
    return sha256(told.encode()).digest()


class Idempotent:
    """Answers one request, once for its key."""

    def __init__(
        self, database: Database, caller: Caller, operation: str, key: str
    ) -> None:
        self._database = database
        self._caller = caller
        self._operation = operation
        self._key = key

    async def answer(
        self, body: BaseModel | None, work: Callable[[Tx], Awaitable[Answer]]
    ) -> Response:
        return await self._database.transact(self._answer, fingerprint(body), work)

    async def _answer(
        self, tx: Tx, asked: bytes, work: Callable[[Tx], Awaitable[Answer]]
    ) -> Response:
        # Two at once: the second waits here for the first one's commit.
        first = await tx.execute(
            insert(answers)
            .values(**self._identity, fingerprint=asked)
            .on_conflict_do_nothing()
        )
        if not first.rowcount:
            return await self._earlier(tx, asked)
        answer = await work(tx)
        body = answer.body.model_dump_json()
        await tx.execute(
            update(answers)
            .filter_by(**self._identity)
            .values(status=answer.status, location=answer.location, body=body)
        )
        return _response(answer.status, body, answer.location)

    async def _earlier(self, tx: Tx, asked: bytes) -> Response:
        earlier = (await tx.execute(select(answers).filter_by(**self._identity))).one()
        if earlier.fingerprint != asked:
            raise KeyReused(
                "This Idempotency-Key came with another body before. Use a new one."
            )
        response = _response(earlier.status, earlier.body, earlier.location)
        response.headers["Idempotent-Replayed"] = "true"
        return response

    @property
    def _identity(self) -> dict[str, str]:
        return {
            "client": self._caller.client,
            "operation": self._operation,
            "key": self._key,
        }


def _response(status: int, body: str, location: str | None) -> Response:
    headers = {"Location": location} if location else None
    return Response(body, status, headers, media_type="application/json")


# Async: FastAPI takes dependencies that are not to a thread and back.
async def required_key(request: Request) -> str:
    return key_of(request)


Key = Annotated[str, Depends(required_key)]

# What OpenAPI says of it; that it is missing is told with a code of its own.
KEY_PARAMETER: Mapping[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "Yours to choose; the same one when you try again.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    "example": "cart-9f-attempt-1",
}


async def _idempotent(request: Request, key: Key) -> Idempotent:
    operation = f"{request.method} {request.url.path}"
    return Idempotent(request.app.state.database, request.state.caller, operation, key)


Once = Annotated[Idempotent, Depends(_idempotent)]


async def forget_old(tx: Tx) -> None:
    await tx.execute(delete(answers).where(answers.c.answered_at < func.now() - KEPT))
