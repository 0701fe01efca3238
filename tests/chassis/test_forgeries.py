"""Tokens that somebody made up or changed: 401, and not a word of them logged."""

import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from joserfc import jws
from joserfc.jwk import ECKey, Key, OctKey, RSAKey

from chassis.testing import TokenIssuer, serving
from sample.main import SERVICE

PATH = "/v1/sample/notes/019aa5a0-7c5a-7d3e-9f1c-1c6f2a1b3c4d"
SCOPE = "sample.read"
ALGORITHMS = ["RS256", "RS384", "PS256", "ES256", "ES384", "HS256", "HS512"]
RSA, P384 = RSAKey.generate_key(2048), ECKey.generate_key("P-384")

Forge = Callable[[TokenIssuer, TokenIssuer], str]


def part(content: Any) -> str:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def claims_of(issuer: TokenIssuer, **changes: Any) -> dict[str, Any]:
    payload = issuer.token(SCOPE, **changes).split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return claims


def signed(key: Key, claims: Any, *, alg: str = "ES256", **header: Any) -> str:
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return jws.serialize_compact({"alg": alg, **header}, payload, key, ALGORITHMS)


def by_hand(header: Any, claims: Any, signature: str = "") -> str:
    return f"{part(header)}.{part(claims)}.{signature}"


def hmac_of(secret: bytes, issuer: TokenIssuer) -> str:
    """Whose verifier took the algorithm from the token would take the key as secret."""
    head = part({"alg": "HS256", "kid": issuer.key.kid})
    body = f"{head}.{part(claims_of(issuer))}"
    mac = HMAC(secret, SHA256())
    mac.update(body.encode())
    return f"{body}.{part(mac.finalize())}"


def unsigned(algorithm: Any) -> Forge:
    def forge(ours: TokenIssuer, _: TokenIssuer) -> str:
        return by_hand({"alg": algorithm, "kid": ours.key.kid}, claims_of(ours))

    return forge


def own_key(**header: Any) -> Forge:
    def forge(ours: TokenIssuer, _: TokenIssuer) -> str:
        key = ECKey.generate_key("P-256")
        named = {"kid": ours.key.kid, "jwk": key.as_dict(private=False), **header}
        return signed(key, claims_of(ours), **named)

    return forge


def claiming(**changes: Any) -> Forge:
    """Signed by the issuer itself: some of them sign what they should not."""

    def forge(ours: TokenIssuer, _: TokenIssuer) -> str:
        return ours.token(SCOPE, **changes)

    return forge


def saying(raw: bytes) -> Forge:
    def forge(ours: TokenIssuer, _: TokenIssuer) -> str:
        claims = json.dumps(claims_of(ours)).encode()
        return signed(ours.key, claims[:-1] + raw, kid=ours.key.kid)

    return forge


def headed(**header: Any) -> Forge:
    def forge(ours: TokenIssuer, _: TokenIssuer) -> str:
        head = {"alg": "ES256", "kid": ours.key.kid, **header}
        good = signed(ours.key, claims_of(ours), kid=ours.key.kid)
        return f"{part(head)}.{good.partition('.')[2]}"

    return forge


def typed(typ: str) -> Forge:
    def forge(ours: TokenIssuer, _: TokenIssuer) -> str:
        return signed(ours.key, claims_of(ours), kid=ours.key.kid, typ=typ)

    return forge


def encrypted(*_: TokenIssuer) -> str:
    return f"{part({'alg': 'dir', 'enc': 'A128GCM'})}...."


def as_json(*_: TokenIssuer) -> str:
    return json.dumps({"payload": "e30", "signatures": []})


def cut(ours: TokenIssuer, _: TokenIssuer) -> str:
    return ours.token(SCOPE)[:-4]


def swapped(ours: TokenIssuer, _: TokenIssuer) -> str:
    head, _payload, signature = ours.token(SCOPE).split(".")
    return f"{head}.{part(claims_of(ours, customer='c-43'))}.{signature}"


def mixed(ours: TokenIssuer, _: TokenIssuer) -> str:
    """An EC signature said to be an RSA one."""
    good = signed(ours.key, claims_of(ours), kid=ours.key.kid)
    head = part({"alg": "RS256", "kid": ours.key.kid})
    return f"{head}.{good.partition('.')[2]}"


def anothers_key(ours: TokenIssuer, theirs: TokenIssuer) -> str:
    return signed(theirs.key, claims_of(ours), kid=theirs.key.kid)


def anothers_key_by_our_name(ours: TokenIssuer, theirs: TokenIssuer) -> str:
    return signed(theirs.key, claims_of(ours), kid=ours.key.kid)


def for_anothers(ours: TokenIssuer, theirs: TokenIssuer) -> str:
    return ours.token(SCOPE, iss=theirs.trusted.issuer)


def as_pem(ours: TokenIssuer, _: TokenIssuer) -> str:
    return hmac_of(ours.key.as_pem(private=False), ours)


def as_jwk(ours: TokenIssuer, _: TokenIssuer) -> str:
    return hmac_of(json.dumps(ours.key.as_dict(private=False)).encode(), ours)


def with_nothing(ours: TokenIssuer, _: TokenIssuer) -> str:
    return hmac_of(b"", ours)


NOW = int(time.time())
TOMORROW = NOW + 24 * 3600  # however long the tests before these take
KEY_IDS = ["../../../dev/null", "/dev/null", "' OR 1=1 --", "", "\0", "x" * 4000]
NO_KEY_IDS: list[Any] = [None, 5, ["x"], {}]
WRONG: dict[str, list[Any]] = {
    "iss": [None, "", "https://evil.test", 5, [], "HTTP://127.0.0.1"],
    "aud": [None, "", "orderly2", ["other"], {"orderly": 1}],
    "exp": [None, NOW - 3600, 0, -1, "9" * 10, "soon", True, [], {}],
    "nbf": [TOMORROW, "soon", 10**12],
    "client_id": ["", 5, ["storefront"]],
    "customer_id": [5, True, ["c-42"]],
    "scope": [5, [SCOPE], {SCOPE: 1}],
    "token_use": ["id", "refresh", 5],
}
FORGERIES: dict[str, Forge] = {
    **{f"alg {alg!r}": unsigned(alg) for alg in ("none", "None", "nOnE", "", None, 1)},
    **{f"kid {kid!r}"[:30]: own_key(kid=kid) for kid in KEY_IDS},
    **{f"kid {kid!r}": headed(kid=kid) for kid in NO_KEY_IDS},
    **{
        f"the key is at its {name}": own_key(**{name: "https://evil.test/keys"})
        for name in ("jku", "x5u")
    },
    "certificates of its own": own_key(x5c=["MIIB"]),
    "the public key, as PEM, for a secret": as_pem,
    "the public key, as JWK, for a secret": as_jwk,
    "no secret": with_nothing,
    "cut": cut,
    "claims of another token": swapped,
    "another algorithm": mixed,
    "RS256 of one's own": lambda ours, _: signed(
        RSA, claims_of(ours), alg="RS256", kid=ours.key.kid
    ),
    "PS256": lambda ours, _: signed(
        RSA, claims_of(ours), alg="PS256", kid=ours.key.kid
    ),
    "ES384": lambda ours, _: signed(
        P384, claims_of(ours), alg="ES384", kid=ours.key.kid
    ),
    "HS512": lambda ours, _: signed(
        OctKey.generate_key(512), claims_of(ours), alg="HS512", kid=ours.key.kid
    ),
    "another issuer's key": anothers_key,
    "another issuer's key by our name": anothers_key_by_our_name,
    "our key for another issuer": for_anothers,
    "a critical extension": headed(crit=["exp"]),
    "a critical extension unheard of": headed(crit=["x"], x=1),
    "a payload that is not encoded": headed(b64=False, crit=["b64"]),
    **{
        f"typ {typ}": typed(typ)
        for typ in ("logout+jwt", "dpop+jwt", "secevent+jwt", "JWE", "")
    },
    **{
        f"{claim} {value!r}"[:40]: claiming(**{claim: value})
        for claim, values in WRONG.items()
        for value in values
    },
    "exp at infinity": saying(b', "exp": Infinity}'),
    "exp beyond numbers": saying(b', "exp": 1e999}'),
    "exp that is no number": saying(b', "exp": NaN}'),
    "exp of 5000 digits": saying(b', "exp": ' + b"9" * 5000 + b"}"),
    "claims that are a list": lambda ours, _: signed(
        ours.key, [claims_of(ours)], kid=ours.key.kid
    ),
    "claims that end early": lambda ours, _: signed(
        ours.key, b'{"iss"', kid=ours.key.kid
    ),
    "very long": claiming(padding="x" * 9000),
    "encrypted": encrypted,
    "as JSON": as_json,
}


@pytest.fixture(scope="module")
async def other_issuer() -> AsyncIterator[TokenIssuer]:
    issuer = TokenIssuer()
    async with issuer.server:
        yield issuer


@pytest.fixture
async def client(
    database, aws, issuer: TokenIssuer, other_issuer: TokenIssuer
) -> AsyncIterator[httpx.AsyncClient]:
    trusted = [issuer.trusted, other_issuer.trusted]
    async with serving(SERVICE, database, aws, trusted) as client:
        yield client


async def test_what_is_forged_opens_nothing_and_leaves_no_trace(
    client, issuer, other_issuer, capfd
):
    for name, forge in FORGERIES.items():
        token = forge(issuer, other_issuer)
        answer = await client.get(PATH, headers={"Authorization": f"Bearer {token}"})

        assert answer.status_code == 401, name
        challenge = answer.headers["www-authenticate"]
        assert challenge == 'Bearer error="invalid_token"', name
        assert answer.json()["code"] == "invalid_token"
        said = answer.text + str(capfd.readouterr())
        assert not [one for one in token.split(".") if len(one) > 8 and one in said]


async def test_what_is_good_opens_it(client, issuer, other_issuer):
    for good in (
        issuer.token(SCOPE),
        issuer.token(SCOPE, exp=time.time() + 60.5),
        issuer.token(SCOPE, nbf=NOW + 5),
        issuer.token(SCOPE, token_use="access"),  # noqa: S106
        other_issuer.token(SCOPE),
        signed(issuer.key, claims_of(issuer), kid=issuer.key.kid, typ="at+jwt"),
    ):
        answer = await client.get(PATH, headers={"Authorization": f"Bearer {good}"})

        assert answer.status_code == 404


@pytest.mark.parametrize("scheme", ["Basic", "Digest", "Token", "Bearer2", "", "DPoP"])
async def test_another_scheme_is_no_token(client, issuer, scheme):
    headers = {"Authorization": f"{scheme} {issuer.token(SCOPE)}"}
    answer = await client.get(PATH, headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_token_elsewhere_is_no_token(client, issuer):
    token = issuer.token(SCOPE)
    for asked in (
        {"headers": {"Cookie": f"access_token={token}"}},
        {"headers": {"X-Authorization": f"Bearer {token}"}},
    ):
        assert (await client.get(PATH, **asked)).status_code == 401


async def test_of_two_tokens_none_counts(client, issuer):
    token = f"Bearer {issuer.token(SCOPE)}"
    for two in ([token, token], [token, "Bearer x"], ["Basic x", token]):
        headers = [("Authorization", value) for value in two]
        assert (await client.get(PATH, headers=headers)).status_code == 401
