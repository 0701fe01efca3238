import os
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import asyncpg
import botocore.session
import pytest
import sqlalchemy as sa
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography import x509
from sqlalchemy.engine import URL, make_url

from chassis.database import Database, DatabaseUnavailable, Tx
from chassis.logins import RDS_CA, Login
from chassis.testing import eventually
from orderly.stack.postgres import Postgres
from tests.tls import Authority, in_front_of

pytestmark = pytest.mark.xdist_group("logins")  # one server serves them all

REGION = "eu-central-1"
URL_AT_RDS = make_url("postgresql://sample@orderly.cluster-x.rds.amazonaws.com/sample")


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch) -> None:
    """The machine's own are not for tests."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")


@pytest.fixture
def credentials(monkeypatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "only-for-tests")


@pytest.fixture
async def task_role(monkeypatch) -> AsyncIterator[None]:
    """What ECS gives a task: credentials that are about to run out, anew each time."""
    numbers = count(1)

    async def answer(_: web.Request) -> web.Response:
        soon = datetime.now(UTC) + timedelta(minutes=5)
        return web.json_response(
            {
                "AccessKeyId": f"ASIA{next(numbers)}",
                "SecretAccessKey": "only-for-tests",
                "Token": "of-the-session",
                "Expiration": soon.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        )

    app = web.Application()
    app.router.add_get("/credentials", answer)
    async with TestServer(app) as server:
        url = str(server.make_url("/credentials"))
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        yield


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Postgres]:
    async with Postgres.throwaway() as server:
        admin = await asyncpg.connect(server.url())
        await admin.execute("CREATE ROLE sample LOGIN")
        await admin.close()
        yield server


@pytest.fixture
async def url(server: Postgres, authority: Authority) -> AsyncIterator[URL]:
    """Where the server is reached by TLS."""
    async with in_front_of(server.port, authority.certify("127.0.0.1")) as port:
        yield make_url(f"postgresql://sample@127.0.0.1:{port}/postgres")


@pytest.fixture
async def database_at() -> AsyncIterator[Callable[..., Database]]:
    opened = []

    def open_database(url: URL, **login: Any) -> Database:
        database = Database(
            url.render_as_string(hide_password=False),
            application_name="tests",
            login=Login(region=REGION, **login),
        )
        opened.append(database)
        return database

    yield open_database
    for database in opened:
        await database.close()


async def token_for(url: URL) -> str:
    return str(await Login(by_iam=True, region=REGION).arguments(url)["password"]())


def key_of(token: str) -> str:
    (credential,) = parse_qs(token)["X-Amz-Credential"]
    return credential.partition("/")[0]


def botocores_token_for(url: URL) -> str:
    client = botocore.session.get_session().create_client("rds", region_name=REGION)
    token = client.generate_db_auth_token(url.host, url.port or 5432, url.username)
    return str(token)


async def set_password(server: Postgres, password: str) -> None:
    admin = await asyncpg.connect(server.url())
    await admin.execute(f"ALTER ROLE sample PASSWORD '{password}'")
    await admin.close()


async def one(tx: Tx) -> int:
    return int((await tx.execute(sa.text("SELECT 1"))).scalar_one())


async def works(database: Database) -> bool:
    try:
        return await database.transact(one) == 1
    except DatabaseUnavailable:
        return False


@pytest.mark.usefixtures("credentials")
async def test_a_token_is_what_the_sdk_would_make():
    async def are_the_same() -> bool:
        return await token_for(URL_AT_RDS) == botocores_token_for(URL_AT_RDS)

    await eventually(are_the_same)  # at once, or the second was just over


@pytest.mark.usefixtures("credentials")
async def test_each_connection_is_opened_with_a_token_of_its_own(
    server, authority, url, database_at
):
    database = database_at(url, by_iam=True, ca=authority.file)

    async def works_with_todays_token() -> bool:
        await set_password(server, await token_for(url))
        return await works(database)

    await eventually(works_with_todays_token)  # at once, or the second was just over
    await set_password(server, "what was a token a second ago")

    assert await works(database)  # the connection stays
    await database.close()
    assert not await works(database)  # a new one comes with a new token


@pytest.mark.usefixtures("task_role")
async def test_a_task_roles_credentials_are_renewed_before_they_run_out():
    make = Login(by_iam=True, region=REGION).arguments(URL_AT_RDS)["password"]

    first, second = await make(), await make()

    assert "X-Amz-Security-Token=of-the-session" in first
    assert key_of(first).startswith("ASIA")
    assert key_of(second) != key_of(first)


async def test_without_credentials_the_database_is_away(authority, url, database_at):
    database = database_at(url, by_iam=True, ca=authority.file)

    with pytest.raises(DatabaseUnavailable):
        await database.transact(one)


@pytest.fixture
async def by_password(server: Postgres, url: URL) -> URL:
    await set_password(server, "secret")
    return url.set(password="secret")  # noqa: S106


async def test_a_server_is_trusted_when_its_authority_is(
    authority, by_password, database_at
):
    assert await works(database_at(by_password, ca=authority.file))


async def test_a_server_of_another_authority_is_refused(
    tmp_path, by_password, database_at
):
    assert not await works(database_at(by_password, ca=Authority(tmp_path).file))


async def test_a_server_of_another_name_is_refused(authority, by_password, database_at):
    elsewhere = by_password.set(host="localhost")

    assert not await works(database_at(elsewhere, ca=authority.file))


@pytest.mark.usefixtures("credentials")
async def test_a_token_is_not_sent_in_the_clear(server, authority):
    url = make_url(f"postgresql://sample@127.0.0.1:{server.port}/postgres")
    arguments = Login(by_iam=True, ca=authority.file).arguments(url)

    with pytest.raises(ConnectionError, match="rejected SSL upgrade"):
        await asyncpg.connect(url.render_as_string(), **arguments)


def test_by_password_and_without_an_authority_the_url_says_it_all():
    assert Login().arguments(URL_AT_RDS) == {}


def test_a_token_goes_to_none_but_rds():
    context = Login(by_iam=True).arguments(URL_AT_RDS)["ssl"]

    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    names = [dict(part[0] for part in ca["subject"]) for ca in context.get_ca_certs()]
    assert {name["organizationName"] for name in names} == {"Amazon Web Services, Inc."}


def test_an_administrators_password_goes_to_none_but_rds_either():
    arguments = Login(by_iam=True).with_password().arguments(URL_AT_RDS)

    assert arguments.keys() == {"ssl"}
    assert arguments["ssl"].verify_mode is ssl.CERT_REQUIRED


def test_the_roots_of_rds_are_valid_for_years():
    roots = x509.load_pem_x509_certificates(Path(RDS_CA).read_bytes())

    assert len(roots) > 50
    in_years = datetime.now(UTC) + timedelta(days=5 * 365)
    for root in roots:
        root.verify_directly_issued_by(root)
        assert root.not_valid_after_utc > in_years
