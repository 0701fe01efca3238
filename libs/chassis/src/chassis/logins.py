"""How a database knows who we are: by the URL's password, or by IAM.

An IAM token takes the password's place, lets in for 15 minutes and is made for each
connection: nothing is stored, and nothing expires in a running process.
"""

import ssl
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from aiobotocore.session import AioSession, get_session
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ClientError
from sqlalchemy.engine import URL

# The roots of every region's RDS certificates; docs/dependencies.md says from where.
RDS_CA = Path(__file__).with_name("rds-ca.pem")
TOKEN_LASTS_S = 900
DEFAULT_PORT = 5432


class NoToken(ConnectionError):
    """AWS gives this process no credentials to make a token with, or not now."""


@dataclass(frozen=True, kw_only=True)
class Login:
    """What a connection takes besides its URL."""

    by_iam: bool = False
    ca: Path | None = None
    region: str = "us-east-1"

    def arguments(self, url: URL) -> dict[str, Any]:
        """Return arguments for asyncpg's `connect`."""
        arguments: dict[str, Any] = {}
        if self._vouching:
            arguments["ssl"] = _verifying(self._vouching)
        if self.by_iam:
            arguments["password"] = partial(_token, get_session(), url, self.region)
        return arguments

    def with_password(self) -> "Login":
        """For somebody else on the same server, who has one."""
        return replace(self, by_iam=False, ca=self._vouching)

    @property
    def _vouching(self) -> Path | None:
        # Whoever passed for the database would hold a token that lets in there.
        return self.ca or (RDS_CA if self.by_iam else None)


def _verifying(ca: Path) -> ssl.SSLContext:
    # Not ssl.create_default_context, which is stricter about the form of certificates
    # than PostgreSQL's own client with sslmode=verify-full.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=ca)
    return context


async def _token(session: AioSession, url: URL, region: str) -> str:
    """What botocore's RDS client calls an auth token, without loading that client.

    It would take 1.5 MB of service description for one signature.
    """
    try:
        credentials = await session.get_credentials()
        if credentials is None:
            raise NoToken(
                "There are no AWS credentials to log in to the database with."
            )
        frozen = await credentials.get_frozen_credentials()
    except (BotoCoreError, ClientError) as error:
        raise NoToken("AWS credentials for the database cannot be had.") from error
    asked = urlencode({"Action": "connect", "DBUser": url.username})
    request = AWSRequest(
        method="GET", url=f"https://{url.host}:{url.port or DEFAULT_PORT}/?{asked}"
    )
    SigV4QueryAuth(frozen, "rds-db", region, expires=TOKEN_LASTS_S).add_auth(request)
    return str(request.url).removeprefix("https://")
