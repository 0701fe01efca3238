"""Tokens of this machine's own issuer, whose key is made when it is first needed."""

import json
import os
import secrets
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

ALGORITHM = "ES256"
AUDIENCE = "orderly"
CLIENT_ID = "local"
TTL_S = 3600
SCOPES = (
    "orders.write",
    "orders.read",
    "channel.web",
    "channel.mobile",
    "channel.wholesale",
    "inventory.read",
    "inventory.write",
    "inventory.hold",
    "accounting.read",
    "accounting.write",
    "ops",
)


@dataclass(frozen=True)
class Signer:
    key: ECKey
    issuer: str

    def token(
        self,
        scopes: Iterable[str] = SCOPES,
        *,
        customer_id: str | None = None,
        ttl_s: int = TTL_S,
    ) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": CLIENT_ID,
            "client_id": CLIENT_ID,
            "scope": " ".join(scopes),
            "iat": now,
            "nbf": min(now, now + ttl_s),
            "exp": now + ttl_s,
            "jti": secrets.token_urlsafe(8),
        }
        if customer_id is not None:
            claims["customer_id"] = customer_id
        header = {"alg": ALGORITHM, "kid": self.key.kid, "typ": "JWT"}
        return jwt.encode(header, claims, self.key, algorithms=[ALGORITHM])

    def key_set(self) -> str:
        return json.dumps(KeySet([self.key]).as_dict(private=False))


def load_key(file: Path) -> ECKey:
    """Read the private key; two who make it at once agree on one."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        made = ECKey.generate_key("P-256", auto_kid=True).as_dict(private=True)
        own = file.with_name(f"{file.name}.{os.getpid()}")
        own.touch(mode=0o600)
        own.write_text(json.dumps(made))
        with suppress(FileExistsError):
            os.link(own, file)
        own.unlink()
    return ECKey.import_key(json.loads(file.read_text()))
