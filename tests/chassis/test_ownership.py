import asyncio
import json
import sys
from collections.abc import AsyncIterator

import asyncpg
import pytest
from pydantic import SecretStr
from sqlalchemy.engine import make_url

from chassis import migrations
from chassis.ownership import Administrator, give_database
from orderly.stack.postgres import Postgres
from tests.tls import Authority, in_front_of

pytestmark = pytest.mark.xdist_group("ownership")  # one server serves them all

PASSWORD = "only-for-tests"  # noqa: S105
WHAT_IS_THERE = """
    SELECT (SELECT json_agg(r ORDER BY rolname) FROM pg_roles r)::text,
           (SELECT json_agg(m ORDER BY oid) FROM pg_auth_members m)::text,
           (SELECT json_agg(d ORDER BY datname) FROM
               (SELECT datname, datdba, datcollate, datacl FROM pg_database) d)::text
"""
CAN_BECOME = "SELECT pg_has_role($1, $2, 'SET') OR pg_has_role($1, $2, 'USAGE')"


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Postgres]:
    """A server whose administrator is what RDS makes of one: not a superuser."""
    async with Postgres.throwaway() as server:
        superuser = await asyncpg.connect(server.url())
        for statement in (
            f"CREATE ROLE boss LOGIN CREATEDB CREATEROLE PASSWORD '{PASSWORD}'",
            "CREATE ROLE rds_iam",
            "GRANT rds_iam TO boss WITH ADMIN TRUE, INHERIT FALSE, SET FALSE",
        ):
            await superuser.execute(statement)
        await superuser.close()
        yield server


@pytest.fixture
async def superuser(server: Postgres) -> AsyncIterator[asyncpg.Connection]:
    """Looks on, and clears up."""
    connection = await asyncpg.connect(server.url())
    yield connection
    for name in ("sample", "other"):
        await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await connection.execute(f"DROP ROLE IF EXISTS {name}")
    await connection.close()


@pytest.fixture
async def boss(
    server: Postgres,
    superuser: asyncpg.Connection,  # noqa: ARG001 clears up after it
) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(as_boss(server))
    yield connection
    await connection.close()


def as_boss(server: Postgres) -> str:
    url = make_url(server.url()).set(username="boss", password=PASSWORD)
    return url.render_as_string(hide_password=False)


def as_sample(server: Postgres, password: str = "of-sample") -> str:  # noqa: S107
    return f"postgresql://sample:{password}@127.0.0.1:{server.port}/sample"


async def migrate(url: str, *, admin_password: str = PASSWORD) -> None:
    """What the process does, without the second it takes to start one."""
    boss = Administrator(username="boss", password=SecretStr(admin_password))
    await asyncio.to_thread(migrations.upgrade, "sample", url, admin=boss)


async def migrate_apart(url: str, **more: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sample", "migrate"),
        env={
            "PYTHONPATH": ":".join(sys.path),
            "SAMPLE_DATABASE_URL": url,
            "SAMPLE_DATABASE_ADMIN": json.dumps(
                {"username": "boss", "password": PASSWORD}
            ),
            **more,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


@pytest.mark.usefixtures("superuser")
async def test_the_first_run_makes_role_database_and_schema(server):
    await migrate(as_sample(server))

    sample = await asyncpg.connect(as_sample(server))
    assert await sample.fetchval("SELECT count(*) FROM notes") == 0
    await sample.close()


@pytest.mark.usefixtures("superuser")
async def test_later_runs_need_no_administrator(server):
    await migrate(as_sample(server))

    await migrate(as_sample(server), admin_password="changed since")  # noqa: S106


@pytest.fixture
async def any_token_will_do(server: Postgres, superuser) -> AsyncIterator[None]:
    """RDS alone can check them."""
    rules = server.data / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text(f"host all sample 127.0.0.1/32 trust\n{before}")
    await superuser.execute("SELECT pg_reload_conf()")
    yield
    rules.write_text(before)
    await superuser.execute("SELECT pg_reload_conf()")


@pytest.mark.usefixtures("any_token_will_do")
async def test_the_first_run_of_a_service_that_logs_in_by_iam(
    server, superuser, tmp_path
):
    authority = Authority(tmp_path)
    async with in_front_of(server.port, authority.certify("127.0.0.1")) as port:
        url = f"postgresql://sample@127.0.0.1:{port}/sample"

        await migrate_apart(
            url,
            SAMPLE_DATABASE_LOGIN="iam",
            SAMPLE_DATABASE_CA=str(authority.file),
            AWS_ACCESS_KEY_ID="AKIDEXAMPLE",
            AWS_SECRET_ACCESS_KEY="only-for-tests",  # noqa: S106
        )

    assert await superuser.fetchval(CAN_BECOME, "sample", "rds_iam")


async def test_later_runs_change_nothing(server, superuser):
    await migrate(as_sample(server))
    before = await superuser.fetchrow(WHAT_IS_THERE)

    await migrate(as_sample(server))

    assert await superuser.fetchrow(WHAT_IS_THERE) == before


async def test_giving_again_changes_nothing(superuser, boss):
    async def give() -> None:
        await give_database(boss, "sample", owner="sample", password=None, by_iam=True)

    await give()
    before = await superuser.fetchrow(WHAT_IS_THERE)

    await give()

    assert await superuser.fetchrow(WHAT_IS_THERE) == before


@pytest.mark.usefixtures("superuser")
async def test_several_may_run_for_the_first_time_at_once(server):
    await asyncio.gather(*(migrate_apart(as_sample(server)) for _ in range(3)))


async def test_services_do_not_get_in_each_others_way(server, superuser):
    async def give(name: str) -> None:
        boss = await asyncpg.connect(as_boss(server))
        await give_database(boss, name, owner=name, password=None, by_iam=True)
        await boss.close()

    await asyncio.gather(*map(give, ["sample", "other"] * 3))

    owners = "SELECT datname, pg_get_userbyid(datdba) FROM pg_database"
    assert {("sample", "sample"), ("other", "other")} <= {
        tuple(row) for row in await superuser.fetch(owners)
    }


@pytest.mark.usefixtures("superuser")
async def test_a_password_that_has_changed_is_taken_over(server):
    await migrate(as_sample(server, "old"))

    await migrate(as_sample(server, "new"))

    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(as_sample(server, "old"))


async def test_the_owner_may_do_nothing_beyond_its_database(superuser, boss):
    await give_database(boss, "sample", owner="sample", password=None)

    role = await superuser.fetchrow(
        "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls"
        " FROM pg_roles WHERE rolname = 'sample'"
    )
    assert not any(role)


async def test_the_owner_cannot_switch_off_what_guards_append_only_tables(server, boss):
    await give_database(boss, "sample", owner="sample", password="of-sample")  # noqa: S106
    sample = await asyncpg.connect(as_sample(server))

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await sample.execute("SET session_replication_role = replica")

    await sample.close()


async def test_nobody_else_gets_into_the_database(server, boss):
    await give_database(boss, "sample", owner="sample", password=None)
    await give_database(boss, "other", owner="other", password="of-other")  # noqa: S106
    url = make_url(as_sample(server)).set(username="other", password="of-other")  # noqa: S106

    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="CONNECT"):
        await asyncpg.connect(url.render_as_string(hide_password=False))


async def test_the_administrator_does_not_stay_one_with_the_owner(superuser, boss):
    """RDS would ask who inherits from one with `rds_iam` for a token."""
    await give_database(boss, "sample", owner="sample", password=None, by_iam=True)

    assert await superuser.fetchval(CAN_BECOME, "sample", "rds_iam")
    assert not await superuser.fetchval(CAN_BECOME, "boss", "sample")
    assert not await superuser.fetchval(CAN_BECOME, "boss", "rds_iam")


async def test_who_logs_in_by_password_is_not_asked_for_tokens(superuser, boss):
    await give_database(boss, "sample", owner="sample", password="of-sample")  # noqa: S106

    assert not await superuser.fetchval(CAN_BECOME, "sample", "rds_iam")


async def test_what_a_crash_left_half_done_is_finished(server, superuser, boss):
    await boss.execute("CREATE ROLE sample LOGIN")
    await boss.execute("GRANT sample TO boss WITH INHERIT FALSE, SET TRUE")
    await boss.execute("CREATE DATABASE sample OWNER sample")

    await migrate(as_sample(server))

    assert not await superuser.fetchval(CAN_BECOME, "boss", "sample")
    everybody = "SELECT has_database_privilege('public', 'sample', 'CONNECT')"
    assert not await superuser.fetchval(everybody)


@pytest.mark.usefixtures("superuser")
async def test_names_and_passwords_are_quoted(server, boss):
    name, password = 'sam"ple', "it's"

    await give_database(boss, name, owner=name, password=password)

    connection = await asyncpg.connect(
        host="127.0.0.1", port=server.port, user=name, password=password, database=name
    )
    await connection.close()
