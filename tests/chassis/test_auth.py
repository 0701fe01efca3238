import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from typing_extensions import override

from chassis import auth
from chassis.auth import Authenticator, Caller, InvalidToken
from chassis.errors import Refused, Unavailable
from chassis.settings import Issuer
from chassis.testing import TokenIssuer


@pytest.fixture
async def own_issuer() -> AsyncIterator[TokenIssuer]:
    """An issuer that a test may stop."""
    issuer = TokenIssuer()
    async with issuer.server:
        yield issuer


@pytest.fixture
def authenticator(own_issuer: TokenIssuer) -> Authenticator:
    return Authenticator([own_issuer.trusted])


def encoded(part: Any) -> str:
    content = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


async def test_a_token_tells_who_calls(own_issuer, authenticator):
    caller = await authenticator.caller(
        own_issuer.token("orders.read", "orderly/orders.write", customer="c-42")
    )

    assert (caller.client_id, caller.customer_id) == ("storefront", "c-42")
    assert caller.scopes == {"orders.read", "orders.write"}
    assert caller.client == "storefront/c-42"


async def test_who_has_no_client_id_is_its_subject(own_issuer, authenticator):
    token = own_issuer.token("orders.read", client_id=None, sub="ada")

    assert (await authenticator.caller(token)).client == "ada"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://somebody.else"},
        {"iss": None},
        {"iss": ["list"]},
        {"aud": "somebody else"},
        {"aud": None},
        {"aud": ["a", "b"]},
        {"aud": 5},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": int(time.time()) - 60},
        {"nbf": int(time.time()) + 24 * 3600},  # not soon, whenever this is run
        {"client_id": None},
        {"client_id": 5},
        {"client_id": ""},
        {"customer_id": 5},
        {"scope": ["list"]},
    ],
)
async def test_a_claim_that_is_not_as_it_must_be(own_issuer, authenticator, claims):
    with pytest.raises(InvalidToken):
        await authenticator.caller(own_issuer.token("orders.read", **claims))


@pytest.mark.parametrize("claims", [{"aud": ["orderly", "other"]}, {"scope": None}])
async def test_a_claim_that_may_be_so(own_issuer, authenticator, claims):
    assert await authenticator.caller(own_issuer.token("orders.read", **claims))


async def test_clocks_that_differ_a_little_are_forgiven(own_issuer, authenticator):
    assert await authenticator.caller(own_issuer.token(exp=int(time.time()) - 5))


async def test_a_token_is_not_accepted_after_it_expired(
    own_issuer, authenticator, monkeypatch
):
    token = own_issuer.token("orders.read")
    await authenticator.caller(token)
    monkeypatch.setattr(auth, "LEEWAY_S", -601)

    with pytest.raises(InvalidToken, match="expired"):
        await authenticator.caller(token)


async def test_a_client_must_be_known_where_clients_are_listed(own_issuer):
    trusted = own_issuer.trusted.model_copy(update={"client_ids": ("web",)})
    authenticator = Authenticator([trusted])

    assert await authenticator.caller(own_issuer.token(client_id="web"))
    with pytest.raises(InvalidToken):
        await authenticator.caller(own_issuer.token(client_id="other"))


@pytest.fixture
def pool(own_issuer: TokenIssuer) -> Authenticator:
    """A Cognito user pool: its access tokens carry no audience."""
    trusted = own_issuer.trusted.model_dump() | {
        "audience": None,
        "client_ids": ("2n4storefront", "7q9staff"),
    }
    return Authenticator([Issuer(**trusted)])


async def test_a_storefront_of_a_user_pool_has_its_scopes_without_their_prefix(
    own_issuer, pool
):
    """As Cognito issues them for client credentials."""
    token = own_issuer.token(
        "orderly/orders.write orderly/channel.web",
        sub="2n4storefront",
        client_id="2n4storefront",
        token_use="access",  # noqa: S106
        version=2,
        aud=None,
    )

    caller = await pool.caller(token)

    assert caller.client == "2n4storefront"
    assert caller.scopes == {"orders.write", "channel.web"}


async def test_staff_of_a_user_pool_come_by_their_client(own_issuer, pool):
    """As Cognito issues them for a code."""
    token = own_issuer.token(
        "openid orderly/ops",
        sub="0b4c2d5e",
        client_id="7q9staff",
        username="0b4c2d5e",
        token_use="access",  # noqa: S106
        aud=None,
    )

    assert "ops" in (await pool.caller(token)).scopes


async def test_a_user_pools_id_token_opens_nothing(own_issuer, pool):
    token = own_issuer.token(
        "orderly/ops",
        sub="0b4c2d5e",
        aud="7q9staff",
        client_id=None,
        token_use="id",  # noqa: S106
    )

    with pytest.raises(InvalidToken):
        await pool.caller(token)


def signed(issuer: TokenIssuer, key: Any, algorithm: str, **header: Any) -> str:
    claims = json.loads(base64.urlsafe_b64decode(issuer.token().split(".")[1] + "=="))
    return jwt.encode(
        {"alg": algorithm, "kid": issuer.key.kid, **header},
        claims,
        key,
        algorithms=[algorithm],
    )


async def test_the_public_key_is_no_shared_secret(own_issuer, authenticator):
    public = json.dumps(own_issuer.key.as_dict(private=False)).encode()
    key = OctKey.import_key({"kty": "oct", "k": encoded(public)})

    with pytest.raises(InvalidToken):
        await authenticator.caller(signed(own_issuer, key, "HS256"))


async def test_a_token_needs_a_signature(own_issuer, authenticator):
    _, claims, signature = own_issuer.token().split(".")
    for algorithm in ("none", "None", "NONE", "", None, 5, ["ES256"]):
        header = encoded({"alg": algorithm, "kid": own_issuer.key.kid})
        for end in ("", signature):
            with pytest.raises(InvalidToken):
                await authenticator.caller(f"{header}.{claims}.{end}")


async def test_a_key_of_the_callers_own_proves_nothing(own_issuer, authenticator):
    key = ECKey.generate_key("P-256")
    header = {"jwk": key.as_dict(private=False), "jku": "http://evil.test"}
    for forged in (
        signed(own_issuer, key, "ES256"),
        signed(own_issuer, key, "ES256", **header),
        signed(own_issuer, RSAKey.generate_key(2048), "RS256"),
    ):
        with pytest.raises(InvalidToken):
            await authenticator.caller(forged)


async def test_changed_claims_are_noticed(own_issuer, authenticator):
    header, claims, signature = own_issuer.token("orders.read").split(".")
    content = json.loads(base64.urlsafe_b64decode(claims + "=="))
    more = encoded(content | {"scope": "orders.write"})

    with pytest.raises(InvalidToken):
        await authenticator.caller(f"{header}.{more}.{signature}")


async def test_one_issuer_does_not_speak_for_another(own_issuer):
    other = TokenIssuer()
    async with other.server:
        authenticator = Authenticator([own_issuer.trusted, other.trusted])
        assert await authenticator.caller(other.token())

        with pytest.raises(InvalidToken):
            await authenticator.caller(other.token(iss=own_issuer.trusted.issuer))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["alg", "kid", "iss", "crit", "b64"]), inner)
    ),
    max_leaves=6,
)


@given(header=ANYTHING, claims=ANYTHING, signature=st.binary(max_size=70))
def test_no_token_fails_but_as_invalid(header, claims, signature):
    issuer = Issuer(issuer="i", jwks_url="http://127.0.0.1:9", audience="orderly")
    if isinstance(claims, dict):
        claims["iss"] = "i"
    token = ".".join([encoded(header), encoded(claims), encoded(signature)])

    with pytest.raises(Refused):
        asyncio.run(Authenticator([issuer]).caller(token))


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "\xff.\xff.\xff",
        "a" * 10_000,
        f"{encoded(b'[' * 4000)}.e30.",
        f"e30.{encoded(b'[' * 4000)}.",
        f"{encoded({'alg': 'ES256'})}.{encoded(b'[' * 4000)}.x",
    ],
)
async def test_what_is_no_token_is_invalid(authenticator, token):
    with pytest.raises(InvalidToken) as refused:
        await authenticator.caller(token)

    assert refused.value.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


async def test_a_new_key_is_fetched_when_it_is_first_seen(
    own_issuer, authenticator, monkeypatch
):
    monkeypatch.setattr(auth, "REFRESH_AT_MOST_EVERY_S", 0)
    await authenticator.caller(own_issuer.token())

    own_issuer.rotate()

    assert await authenticator.caller(own_issuer.token())


async def test_made_up_keys_are_no_flood_on_the_issuer(own_issuer, authenticator):
    await authenticator.caller(own_issuer.token())
    own_issuer.rotate()  # were it asked, it would know this one

    refusals = [authenticator.caller(own_issuer.token(n=n)) for n in range(20)]

    outcomes = await asyncio.gather(*refusals, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {InvalidToken}


async def test_keys_are_used_on_while_the_issuer_is_away(
    own_issuer, authenticator, monkeypatch
):
    monkeypatch.setattr(auth, "TRUSTED_FOR_S", 0)
    monkeypatch.setattr(auth, "REFRESH_AT_MOST_EVERY_S", 0)
    tokens = [own_issuer.token(n=n) for n in range(3)]
    await authenticator.caller(tokens[0])

    await own_issuer.server.close()

    assert await authenticator.caller(tokens[1])
    assert await authenticator.caller(tokens[2])


async def test_a_key_that_is_unknown_while_the_issuer_is_away_may_be_good(
    own_issuer, authenticator, monkeypatch
):
    monkeypatch.setattr(auth, "REFRESH_AT_MOST_EVERY_S", 0)
    await authenticator.caller(own_issuer.token())
    own_issuer.rotate()
    token = own_issuer.token()
    await own_issuer.server.close()

    with pytest.raises(Unavailable):
        await authenticator.caller(token)


async def test_a_key_that_was_withdrawn_is_forgotten(
    own_issuer, authenticator, monkeypatch
):
    monkeypatch.setattr(auth, "TRUSTED_FOR_S", 0)
    monkeypatch.setattr(auth, "REFRESH_AT_MOST_EVERY_S", 0)
    await authenticator.caller(own_issuer.token())
    withdrawn = own_issuer.token(after="that")

    own_issuer.withdraw()

    with pytest.raises(InvalidToken):
        await authenticator.caller(withdrawn)


@pytest.mark.parametrize(
    "document", [b"", b"{}", b"[]", b'{"keys": 5}', b'{"keys": [{}]}', b"<html>"]
)
async def test_an_issuer_that_answers_nonsense_is_away(own_issuer, document):
    async def nonsense(_: web.Request) -> web.Response:
        return web.Response(body=document)

    app = web.Application()
    app.router.add_get("/", nonsense)
    async with TestServer(app) as server:
        trusted = own_issuer.trusted.model_copy(
            update={"jwks_url": str(server.make_url("/"))}
        )
        with pytest.raises(Unavailable):
            await Authenticator([trusted]).caller(own_issuer.token())


async def test_nobody_queues_for_an_issuer_that_hangs(own_issuer, monkeypatch):
    monkeypatch.setattr(auth, "FETCH_TIMEOUT_S", 0.2)
    asked = 0

    async def hang(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return await asyncio.Future()

    app = web.Application()
    app.router.add_get("/", hang)
    async with TestServer(app) as server:
        trusted = own_issuer.trusted.model_copy(
            update={"jwks_url": str(server.make_url("/"))}
        )
        authenticator = Authenticator([trusted])
        calls = [authenticator.caller(own_issuer.token(n=n)) for n in range(20)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)

    assert {type(outcome) for outcome in outcomes} == {Unavailable}
    assert asked == 1


def test_customers_of_one_storefront_never_meet():
    def client(client_id: str, customer_id: str | None) -> str:
        return Caller(
            client_id=client_id,
            customer_id=customer_id,
            scopes=frozenset(),
            expires_at=0,
        ).client

    assert client("web", "c/1") == "web/c/1"
    assert client("web/c", "1") != client("web", "c/1")
    assert client("web/c", None) != client("web", "c")


async def test_clients_of_two_issuers_never_meet(own_issuer, issuer):
    authenticator = Authenticator([own_issuer.trusted, issuer.trusted])
    first = await authenticator.caller(own_issuer.token(customer="c-42"))
    second = await authenticator.caller(issuer.token(customer="c-42"))

    assert first.client == "storefront/c-42"
    assert second.client.endswith("/storefront/c-42")
    assert second.client.startswith("/http:%2F%2F")
    assert second.client_id == first.client_id


async def test_a_client_cannot_be_called_as_one_of_another_issuer(own_issuer, issuer):
    authenticator = Authenticator([own_issuer.trusted, issuer.trusted])
    second = (await authenticator.caller(issuer.token())).client

    for called in (second, second.removeprefix("/")):
        posing = await authenticator.caller(own_issuer.token(client_id=called))
        assert posing.client != second


async def test_a_request_is_authenticated_once(client, issuer):
    state = client._transport.app.state  # noqa: SLF001
    asked: list[str] = []

    class Counting(Authenticator):
        @override
        async def caller(self, token: str) -> Caller:
            asked.append(token)
            return await super().caller(token)

    state.authenticator = Counting([issuer.trusted])
    await client.post("/v1/sample/notes", headers=issuer.headers("sample.write"))

    assert len(asked) == 1


async def test_no_token_is_401(client):
    for headers in ({}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer"}):
        answer = await client.get("/v1/sample/notes/x", headers=headers)

        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_bad_token_is_401(client):
    headers = {"Authorization": "Bearer a.b.c"}
    answer = await client.get("/v1/sample/notes/x", headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")


async def test_another_scope_is_403(client, issuer):
    answer = await client.get(
        "/v1/sample/notes/x", headers=issuer.headers("sample.write")
    )

    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
    assert "sample.read" in answer.json()["detail"]


async def test_who_is_unknown_learns_nothing_about_bodies(client):
    answer = await client.post("/v1/sample/notes", content=b"not even JSON")

    assert answer.status_code == 401
