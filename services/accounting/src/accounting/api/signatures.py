"""Who reports money: the gateway signs what it sends, with a secret shared with us.

`Gateway-Signature: t=<unix seconds>,v1=<hex>`, where v1 is the HMAC-SHA256 of
`<t>.<body>`. There may be several v1, and several secrets: so a secret is replaced
without an event being refused.
"""

import hmac
import re
import time
from collections.abc import Sequence
from typing import Any, TypeVar

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader
from pydantic import BaseModel
from typing_extensions import override

from chassis.bodies import JsonBody, bounded, parse
from chassis.errors import Unauthenticated

HEADER = "Gateway-Signature"
TOLERANCE_S = 300  # an old event that somebody recorded proves nothing
MAX_BYTES = 64 * 1024

# For OpenAPI; the body cannot be proven before it is read.
SIGNED = Depends(
    APIKeyHeader(
        name=HEADER,
        scheme_name="GatewaySignature",
        description="`t=<unix seconds>,v1=<hex HMAC-SHA256 of '<t>.<body>'>`",
        auto_error=False,
    )
)

_TIME = re.compile(r"t=([0-9]{1,12})", re.ASCII)
_SIGNATURE = re.compile(r"v1=([0-9a-f]{64})", re.ASCII)

M = TypeVar("M", bound=BaseModel)


class InvalidSignature(Unauthenticated):
    code = "invalid_signature"


class SignedBody(JsonBody[M]):
    """Reads the body of who has proven to be the gateway."""

    @override
    async def __call__(self, request: Request) -> M:
        raw = await bounded(request, MAX_BYTES)
        secrets: Sequence[str] = request.app.state.gateway_secrets
        header = request.headers.get(HEADER, "")
        if not is_signed(header, raw, secrets=secrets, now=time.time()):
            raise InvalidSignature(
                f"Sign the event: {HEADER}: t=…,v1=…",
                headers={"WWW-Authenticate": HEADER},
            )
        return parse(self._adapter, raw)


def reads_signed(model: type[BaseModel]) -> Any:
    return Depends(SignedBody(model, MAX_BYTES))


def signature(raw: bytes, *, secret: str, at: int) -> str:
    signed = str(at).encode() + b"." + raw
    return hmac.digest(secret.encode(), signed, "sha256").hex()


def is_signed(header: str, raw: bytes, *, secrets: Sequence[str], now: float) -> bool:
    parts = [part.strip() for part in header.split(",")]
    times = [int(found[1]) for part in parts if (found := _TIME.fullmatch(part))]
    if len(times) != 1 or abs(now - times[0]) > TOLERANCE_S:
        return False
    given = [found[1] for part in parts if (found := _SIGNATURE.fullmatch(part))]
    # All are compared, so that the time it takes tells nothing.
    matches = [
        hmac.compare_digest(one, signature(raw, secret=secret, at=times[0]))
        for secret in secrets
        for one in given
    ]
    return any(matches)
