"""Who is calling, and what they may do: bearer JWTs, verified here.

Which keys may prove a token is decided by its issuer, never by the token.
"""

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any, Literal

import aiohttp
import structlog
from fastapi import Depends, Request, Security
from fastapi.openapi.models import HTTPBearer
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel, ConfigDict

from chassis.errors import Forbidden, Unauthenticated, Unavailable
from chassis.headers import sent
from chassis.settings import Issuer

log = structlog.get_logger(__name__)

ALGORITHMS = ["RS256", "ES256"]
ACCESS_TOKENS = {"jwt", "at+jwt", "application/at+jwt"}  # by the header `typ`
LEEWAY_S = 30
FETCH_TIMEOUT_S = 5
REFRESH_AT_MOST_EVERY_S = 10.0  # made-up key ids must not become a flood on the issuer
TRY_AGAIN_AFTER_S = 1.0  # while the issuer is away
TRUSTED_FOR_S = 3600.0  # a key that the issuer withdrew is forgotten after that
TRUSTED_ON_FOR_S = 60.0  # what was had last, while the issuer is away
REMEMBERED_TOKENS = 10_000
MAX_TOKEN_BYTES = 8192
MOST_KEYS_BYTES = 1024 * 1024

# What reading bytes that anybody may send can raise.
_NOT_A_TOKEN = (JoseError, ValueError, TypeError, KeyError, RecursionError)


@dataclass(frozen=True, kw_only=True)
class Caller:
    client_id: str
    customer_id: str | None
    scopes: frozenset[str]
    expires_at: float
    issuer: str | None = None  # unless it is the first: one that came later

    @property
    def client(self) -> str:
        """Whose idempotency keys these are.

        Customers of one storefront never meet, nor do clients that two issuers happen
        to call the same. Those of the first issuer have no prefix: order ids are made
        of this, and stay what they are when another issuer comes.
        """
        client = _escaped(self.client_id)
        if self.issuer is not None:
            client = f"/{_escaped(self.issuer)}/{client}"
        return client if self.customer_id is None else f"{client}/{self.customer_id}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("/", "%2F")


class InvalidToken(Unauthenticated):
    code = "invalid_token"


class MissingScope(Forbidden):
    code = "missing_scope"


class _Published(BaseModel):
    keys: list[dict[str, Any]]


class _Claims(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    exp: float
    client_id: str | None = None
    sub: str | None = None
    customer_id: str | None = None
    scope: str | None = None
    token_use: Literal["access"] | None = None  # as Cognito calls what a token is for


class _Keys:
    """An issuer's public keys: fetched when needed, kept when the issuer is away."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys = KeySet([])
        self._trusted_until = 0.0
        self._not_before = 0.0
        self._away = False
        self._refreshing = asyncio.Lock()

    async def having(self, key_id: str) -> KeySet:
        if not self._has(key_id):
            async with self._refreshing:  # for all who wait for it, once
                if not self._has(key_id) and time.monotonic() >= self._not_before:
                    await self._refresh()
            if self._away and not self._has(key_id):
                raise Unavailable("The token's issuer does not answer.")
        return self._keys

    def _has(self, key_id: str) -> bool:
        return time.monotonic() < self._trusted_until and any(
            key.kid == key_id for key in self._keys.keys
        )

    async def _refresh(self) -> None:
        try:
            async with (
                aiohttp.ClientSession(
                    timeout=aiohttp.ClientTimeout(total=FETCH_TIMEOUT_S)
                ) as http,
                http.get(self._url) as answer,
            ):
                answer.raise_for_status()
                published = _Published.model_validate_json(await _bounded(answer))
                keys = KeySet.import_key_set({"keys": published.keys})
        except (aiohttp.ClientError, TimeoutError, ValueError, JoseError) as error:
            log.warning("Issuer's keys cannot be had", url=self._url, error=repr(error))
            self._away = True
            self._wait(TRY_AGAIN_AFTER_S, trust_s=TRUSTED_ON_FOR_S)
        else:
            self._keys, self._away = keys, False
            self._wait(REFRESH_AT_MOST_EVERY_S, trust_s=TRUSTED_FOR_S)

    def _wait(self, wait_s: float, *, trust_s: float) -> None:
        now = time.monotonic()
        self._not_before = now + wait_s
        self._trusted_until = max(self._trusted_until, now + trust_s)


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    """What an issuer publishes is small; what goes on and on is something else."""
    content = bytearray()
    async for chunk in answer.content.iter_any():
        content += chunk
        if len(content) > MOST_KEYS_BYTES:
            raise ValueError("too much for a set of keys")
    return bytes(content)


class Authenticator:
    def __init__(self, issuers: Sequence[Issuer]) -> None:
        self._issuers = {issuer.issuer: issuer for issuer in issuers}
        self._later = {issuer.issuer for issuer in issuers[1:]}
        self._keys = {issuer.issuer: _Keys(issuer.jwks_url) for issuer in issuers}
        self._verified: OrderedDict[bytes, Caller] = OrderedDict()

    async def caller(self, token: str) -> Caller:
        """The caller this token proves; the same token is verified once."""
        fingerprint = sha256(token.encode()).digest()
        caller = self._verified.get(fingerprint)
        if caller is None:
            caller = await self._verify(token)
            self._verified[fingerprint] = caller
            if len(self._verified) > REMEMBERED_TOKENS:
                self._verified.popitem(last=False)
        if caller.expires_at + LEEWAY_S < time.time():
            raise _rejected("The token has expired. Get a new one.")
        return caller

    async def _verify(self, token: str) -> Caller:
        if len(token) > MAX_TOKEN_BYTES:
            raise _rejected("The token is too long.")
        try:
            issuer, key_id = self._claimed(token)
            keys = await self._keys[issuer.issuer].having(key_id)
            proven = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
            _meant_for_us(issuer).validate(proven)
            claims = _Claims.model_validate(proven)
        except _NOT_A_TOKEN as error:
            raise _rejected("The token is not valid here.") from error
        if issuer.client_ids and claims.client_id not in issuer.client_ids:
            raise _rejected("The token is of a client unknown here.")
        later = issuer.issuer in self._later
        return _caller(claims, issuer.issuer if later else None)

    def _claimed(self, token: str) -> tuple[Issuer, str]:
        """Whose token it says it is: that alone decides which keys may prove it."""
        unverified = jws.extract_compact(token.encode())
        headers = unverified.headers()
        if str(headers.get("typ", "JWT")).lower() not in ACCESS_TOKENS:
            raise ValueError("signed for something else than access")
        claims = json.loads(unverified.payload)
        return self._issuers[claims["iss"]], headers["kid"]


def _meant_for_us(issuer: Issuer) -> jwt.JWTClaimsRegistry:
    required: dict[str, jwt.ClaimsOption] = {
        "iss": {"essential": True, "value": issuer.issuer},
        "exp": {"essential": True},
    }
    if issuer.audience is not None:
        required["aud"] = {"essential": True, "value": issuer.audience}
    return jwt.JWTClaimsRegistry(None, LEEWAY_S, **required)


def _caller(claims: _Claims, issuer: str | None) -> Caller:
    client_id = claims.client_id or claims.sub
    if not client_id:
        raise _rejected("The token does not say whose it is.")
    scopes = (claims.scope or "").split()
    return Caller(
        client_id=client_id,
        customer_id=claims.customer_id,
        scopes=frozenset(scope.removeprefix("orderly/") for scope in scopes),
        expires_at=claims.exp,
        issuer=issuer,
    )


def _rejected(detail: str) -> InvalidToken:
    return InvalidToken(
        detail, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}
    )


class _Bearer(SecurityBase):
    """The token that was sent. FastAPI's own would make a model of it each time."""

    def __init__(self) -> None:
        self.model = HTTPBearer(bearerFormat="JWT")
        self.scheme_name = "HTTPBearer"

    async def __call__(self, request: Request) -> str | None:
        found = sent(request, b"authorization")
        if len(found) > 1:
            raise _rejected("Send one token.")  # which of them counted is a guess
        scheme, _, token = "".join(found).partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None


async def authenticate(
    request: Request,
    scopes: SecurityScopes,
    token: Annotated[str | None, Depends(_Bearer())],
) -> Caller:
    """The caller, if the token proves one and holds any of the route's scopes."""
    if not token:
        raise Unauthenticated(
            "Send a token: Authorization: Bearer …",
            headers={"WWW-Authenticate": "Bearer"},
        )
    authenticator: Authenticator = request.app.state.authenticator
    caller = await authenticator.caller(token)
    if not caller.scopes.intersection(scopes.scopes):
        raise MissingScope(
            f"The token lacks the scope {' or '.join(scopes.scopes)}.",
            headers={"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
        )
    request.state.caller = caller
    return caller


def needs(*scopes: str) -> Any:
    """For a route's first parameter: `caller: Annotated[Caller, needs("…")]`."""
    return Security(authenticate, scopes=list(scopes))


class NotForCustomers(Forbidden):
    """What concerns the whole business is not shown to one of its customers."""

    code = "not_for_customers"


def needs_staff(*scopes: str) -> Any:
    """As `needs`, for what a customer's own token does not open."""

    async def authenticate_staff(caller: Annotated[Caller, needs(*scopes)]) -> Caller:
        if caller.customer_id is not None:
            raise NotForCustomers("A customer's token does not open this.")
        return caller

    return Depends(authenticate_staff)
