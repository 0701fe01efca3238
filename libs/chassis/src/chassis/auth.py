"""Who is calling and what they may do: bearer JWTs, verified here against known issuers."""

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any

import aiohttp
import structlog
from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from chassis.errors import Forbidden, Unauthenticated, Unavailable
from chassis.settings import Issuer

log = structlog.get_logger(__name__)

ALGORITHMS = ["RS256", "ES256"]
LEEWAY_S = 30
FETCH_TIMEOUT_S = 5
REFRESH_AT_MOST_EVERY_S = 10  # made-up key ids must not become a flood on the issuer
REMEMBERED_TOKENS = 10_000
MAX_TOKEN_BYTES = 8192

_BEARER = HTTPBearer(auto_error=False, bearerFormat="JWT")


@dataclass(frozen=True, kw_only=True)
class Caller:
    client_id: str
    customer_id: str | None
    scopes: frozenset[str]
    expires_at: float

    @property
    def client(self) -> str:
        """Whose idempotency keys these are: two customers of one storefront never meet."""
        if self.customer_id is None:
            return self.client_id
        return f"{self.client_id}/{self.customer_id}"


class InvalidToken(Unauthenticated):
    code = "invalid_token"


class MissingScope(Forbidden):
    code = "missing_scope"


class _Keys:
    """An issuer's public keys: fetched when needed, kept when the issuer is away."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: KeySet | None = None
        self._fetched_at = -REFRESH_AT_MOST_EVERY_S - 1.0
        self._fetching = asyncio.Lock()

    async def having(self, key_id: str) -> KeySet:
        if self._lacks(key_id):
            async with self._fetching:
                if self._lacks(key_id):
                    await self._refresh()
        if self._keys is None:
            raise Unavailable(
                "The token issuer's keys cannot be had. Try again shortly."
            )
        return self._keys

    def _lacks(self, key_id: str) -> bool:
        known = self._keys is not None and any(
            key.kid == key_id for key in self._keys.keys
        )
        return (
            not known and time.monotonic() - self._fetched_at > REFRESH_AT_MOST_EVERY_S
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
                keys = KeySet.import_key_set(await answer.json(content_type=None))
        except (aiohttp.ClientError, TimeoutError, ValueError, JoseError) as error:
            log.warning(
                "Token issuer does not answer", url=self._url, error=repr(error)
            )
        else:
            self._keys = keys
            self._fetched_at = time.monotonic()


class Authenticator:
    def __init__(self, issuers: Sequence[Issuer]) -> None:
        self._issuers = {issuer.issuer: issuer for issuer in issuers}
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
            claims = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
            jwt.JWTClaimsRegistry(
                leeway=LEEWAY_S,
                iss={"essential": True, "value": issuer.issuer},
                exp={"essential": True},
            ).validate(claims)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            log.info("Token refused", error=type(error).__name__)
            raise _rejected(
                "The token is not valid, or of an issuer unknown here."
            ) from error
        _check_recipient(issuer, claims)
        return _caller(claims)

    def _claimed(self, token: str) -> tuple[Issuer, str]:
        """Whose token it says it is: that alone decides which keys may prove it."""
        unverified = jws.extract_compact(token.encode())
        claims = json.loads(unverified.payload)
        return self._issuers[claims["iss"]], unverified.headers()["kid"]


def _check_recipient(issuer: Issuer, claims: Mapping[str, Any]) -> None:
    audience = claims.get("aud", ())
    audiences = [audience] if isinstance(audience, str) else list(audience)
    if issuer.audience is not None and issuer.audience not in audiences:
        raise _rejected("The token is for somebody else.")
    if issuer.client_ids and claims.get("client_id") not in issuer.client_ids:
        raise _rejected("The token is of a client unknown here.")


def _caller(claims: Mapping[str, Any]) -> Caller:
    client_id = claims.get("client_id") or claims.get("sub")
    customer_id = claims.get("customer_id")
    if not isinstance(client_id, str) or not isinstance(customer_id, str | None):
        raise _rejected("The token does not say whose it is.")
    scopes = str(claims.get("scope", "")).split()
    return Caller(
        client_id=client_id,
        customer_id=customer_id,
        scopes=frozenset(scope.removeprefix("orderly/") for scope in scopes),
        expires_at=float(claims["exp"]),
    )


def _rejected(detail: str) -> InvalidToken:
    return InvalidToken(
        detail, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}
    )


async def authenticate(
    request: Request,
    scopes: SecurityScopes,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
) -> Caller:
    """The caller, if the token proves one and holds any of the route's scopes."""
    if credentials is None:
        raise Unauthenticated(
            "Send a token: Authorization: Bearer …",
            headers={"WWW-Authenticate": "Bearer"},
        )
    authenticator: Authenticator = request.app.state.authenticator
    caller = await authenticator.caller(credentials.credentials)
    if not caller.scopes.intersection(scopes.scopes):
        raise MissingScope(f"The token lacks the scope {' or '.join(scopes.scopes)}.")
    request.state.caller = caller
    return caller


def needs(*scopes: str) -> Any:
    """For a route's first parameter: `caller: Annotated[Caller, needs("orders.read")]`."""
    return Security(authenticate, scopes=list(scopes))
