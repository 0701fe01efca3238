import os
import signal

import asyncpg
import psutil
import pytest

from orderly.errors import StackError
from orderly.stack.ports import free_port
from orderly.stack.postgres import Postgres, unprivileged_account
from tests.orderly.conftest import listening

pytestmark = pytest.mark.xdist_group("postgres")  # one server serves them all


async def ask(url: str, query: str) -> object:
    # A throwaway server forgets the last moments when it is killed, if it is not told.
    kept = {"synchronous_commit": "on"}
    connection = await asyncpg.connect(url, server_settings=kept)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_it_listens_on_loopback_alone(server):
    assert listening(server.process.pid) == {"127.0.0.1"}


async def test_it_never_runs_as_root(server):
    account = unprivileged_account()

    assert (account is None) == (os.geteuid() != 0)
    owner = psutil.Process(server.process.pid).uids().effective
    assert owner == (account.uid if account else os.geteuid()) != 0


async def test_a_service_cannot_enter_its_neighbours_database(server):
    await server.give_database("one")
    await server.give_database("two")

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(server.url("two", "one"))


async def test_a_password_is_needed(server):
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(server.url().replace("postgres:", "postgres:x"))


async def test_giving_a_database_again_changes_nothing(server):
    first = await server.give_database("again")
    await ask(first, "CREATE TABLE kept ()")

    assert await server.give_database("again") == first
    assert await ask(first, "SELECT count(*) FROM kept") == 0


# One life, for making a server is what takes the time.
async def test_what_was_stored_is_there_however_it_ended(own_server):
    begun = own_server.home / "data.unfinished"
    begun.mkdir(parents=True)
    (begun / "PG_VERSION").write_text("18\n")
    await own_server.start()
    assert not begun.exists()
    url = await own_server.give_database("kept")
    await ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")

    intruder = Postgres(own_server.home, free_port())
    with pytest.raises(StackError, match="lock file"):
        await intruder.start()
    assert await ask(url, "SELECT answer FROM kept") == 42

    os.kill(own_server.process.pid, signal.SIGKILL)
    await own_server.wait()
    await own_server.start()
    assert await ask(url, "SELECT answer FROM kept") == 42

    await own_server.stop()
    (own_server.data / "postmaster.pid").touch()  # as killed in its first moment
    await own_server.start()
    assert await ask(url, "SELECT answer FROM kept") == 42

    await own_server.stop()
    (own_server.home / "passwords.json").unlink()
    with pytest.raises(StackError, match="passwords"):
        await own_server.start()


@pytest.mark.parametrize(
    ("version", "complaint"),
    [
        ("12\n", "made by PostgreSQL 12"),
        (None, "not a PostgreSQL data folder"),
    ],
)
async def test_another_ones_data_folder_is_refused(own_server, version, complaint):
    own_server.data.mkdir(parents=True)
    if version:
        (own_server.data / "PG_VERSION").write_text(version)

    with pytest.raises(StackError, match=complaint) as refused:
        await own_server.start()

    assert "--fresh" in str(refused.value)


async def test_one_that_cannot_start_says_why(own_server, server):
    other = Postgres(own_server.home, server.port)

    with pytest.raises(StackError, match="Address already in use"):
        await other.start()


async def test_two_throwaway_servers_do_not_meet(server):
    async with Postgres.throwaway() as other:
        assert other.port != server.port
        assert other.home != server.home
        home = other.home
    assert not home.exists()
