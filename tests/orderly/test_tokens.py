import json
import stat

import pytest
from joserfc import jwt
from joserfc.errors import ExpiredTokenError
from joserfc.jwk import KeySet

from orderly.tokens import SCOPES, Signer, load_key

ISSUER = "http://localhost:8080"


@pytest.fixture
def signer(tmp_path) -> Signer:
    return Signer(load_key(tmp_path / "key.json"), ISSUER)


def claims(signer: Signer, token: str) -> dict[str, object]:
    """What a service finds in the token, with the published keys alone."""
    keys = KeySet.import_key_set(json.loads(signer.key_set()))
    found = jwt.decode(token, keys, algorithms=["ES256"]).claims
    jwt.JWTClaimsRegistry(leeway=0).validate(found)
    return found


def test_a_token_is_good_for_everything_unless_told_otherwise(signer):
    found = claims(signer, signer.token())

    assert found["scope"] == " ".join(SCOPES)
    assert found["iss"] == ISSUER
    assert found["aud"] == "orderly"
    assert found["client_id"] == "local"
    assert "customer_id" not in found


def test_a_token_can_be_for_one_customer_and_one_scope(signer):
    found = claims(signer, signer.token(["orders.read"], customer_id="c-42"))

    assert found["scope"] == "orders.read"
    assert found["customer_id"] == "c-42"


def test_a_token_can_be_born_expired(signer):
    with pytest.raises(ExpiredTokenError):
        claims(signer, signer.token(ttl_s=-1))


def test_the_private_key_is_nobody_elses_and_is_not_published(tmp_path):
    file = tmp_path / "key.json"
    signer = Signer(load_key(file), ISSUER)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "d" not in json.loads(signer.key_set())["keys"][0]


def test_the_key_is_made_once(tmp_path):
    file = tmp_path / "key.json"

    assert load_key(file).kid == load_key(file).kid
