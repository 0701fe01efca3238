import asyncio
import gc
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa

from chassis import migrations
from chassis.database import Database
from chassis.lifecycle import Runtime
from chassis.queues import Aws
from chassis.testing import TokenIssuer, eventually
from chassis.topology import provision
from orderly.stack.ports import free_port
from orderly.stack.postgres import Postgres
from sample.main import QUEUE, SERVICE, TOPOLOGY, Settings
from sample.schema import heard, notes

STARTS_WITHIN_S = 60


@dataclass
class Sample:
    """A process of the sample service, and what it logged."""

    process: asyncio.subprocess.Process
    http: httpx.AsyncClient
    logs: list[dict[str, Any]] = field(default_factory=list)

    async def read(self) -> None:
        assert self.process.stdout
        async for line in self.process.stdout:
            self.logs.append(json.loads(line))

    def logged(self, event: str) -> bool:
        return any(entry["message"] == event for entry in self.logs)

    async def has_logged(self, event: str) -> None:
        async def check() -> bool:
            return self.logged(event)

        await eventually(check, within_s=STARTS_WITHIN_S)

    async def ready(self, status: int = 200) -> None:
        async def check() -> bool:
            with suppress(httpx.TransportError):
                return (await self.http.get("/readyz")).status_code == status
            return False

        await eventually(check, within_s=STARTS_WITHIN_S)

    async def left(self, within_s: float = 20) -> int:
        return await asyncio.wait_for(self.process.wait(), within_s)


@pytest.fixture
async def queues(aws: Aws) -> None:
    """The sample's own topology, empty at first."""
    await provision(aws, TOPOLOGY)
    await aws.sqs.purge_queue(QueueUrl=await aws.queue_url(QUEUE.name))


@pytest.fixture
def environment(
    aws_environment: Mapping[str, str], trusted: Mapping[str, str], issuer: TokenIssuer
) -> dict[str, str]:
    return {
        **aws_environment,
        **trusted,
        "PYTHONPATH": ":".join(sys.path),
        "PYTHONUNBUFFERED": "1",
        "ORDERLY_ISSUERS": json.dumps([issuer.trusted.model_dump()]),
        "SAMPLE_PORT": str(free_port()),
        "SAMPLE_DATABASE_CONNECT_TIMEOUT_S": "2",
    }


@asynccontextmanager
async def running(url: str, environment: Mapping[str, str]) -> AsyncIterator[Sample]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sample"),
        env={**environment, "SAMPLE_DATABASE_URL": url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    base_url = f"http://127.0.0.1:{environment['SAMPLE_PORT']}"
    async with httpx.AsyncClient(base_url=base_url, timeout=30) as http:
        sample = Sample(process, http)
        reading = asyncio.create_task(sample.read())
        try:
            yield sample
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
            await reading


@pytest.fixture
async def url(databases) -> AsyncIterator[str]:
    url = await databases.make("sample")
    yield url
    await databases.drop(url)


@pytest.fixture
async def stored(url: str) -> AsyncIterator[Database]:
    database = Database(url, application_name="tests")
    yield database
    await database.close()


async def count(database: Database, table: sa.Table) -> int:
    async with database.begin() as tx:
        query = sa.select(sa.func.count()).select_from(table)
        return int((await tx.execute(query)).scalar_one())


def has(database: Database, table: sa.Table, number: int) -> Any:
    async def check() -> bool:
        return await count(database, table) == number

    return check


def take(sample: Sample, issuer: TokenIssuer, text: str = "hello", **headers: str):
    return sample.http.post(
        "/v1/sample/notes",
        json={"text": text},
        headers=issuer.headers("sample.write")
        | {"Idempotency-Key": str(uuid4())}
        | headers,
    )


@pytest.mark.usefixtures("queues")
async def test_a_note_goes_round_through_request_outbox_topic_queue_and_handler(
    url, stored, environment, issuer
):
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    async with running(url, environment) as sample:
        await sample.ready()

        answer = await take(
            sample, issuer, traceparent=f"00-{trace_id}-b7ad6b7169203331-01"
        )

        assert answer.status_code == 201
        await eventually(has(stored, heard, 1))
        assert await told_to_who_speaks_no_http(environment) == 400
        sample.process.send_signal(signal.SIGTERM)
        assert await sample.left() == 0
    assert sample.logged("Serving")
    (handled,) = [e for e in sample.logs if e["message"] == "Events handled"]
    assert (handled["trace_id"], handled["service"]) == (trace_id, "sample")
    assert sample.logged("Left")


async def told_to_who_speaks_no_http(environment: Mapping[str, str]) -> int:
    """A problem, as all problems are told."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", int(environment["SAMPLE_PORT"])
    )
    writer.write(b"hello\r\n\r\n")
    answer = await reader.read()
    writer.close()
    assert b"application/problem+json" in answer
    return int(answer.split()[1])


@pytest.mark.usefixtures("queues")
async def test_a_service_is_alive_without_its_database_and_ready_once_it_is_migrated(
    environment, issuer
):
    async with Postgres.throwaway() as server:
        url = await server.give_database("sample")
        await server.stop()
        async with running(url, environment) as sample:
            await sample.ready(503)
            alive = await sample.http.get("/healthz")
            answer = await take(sample, issuer)
            assert (alive.status_code, answer.status_code) == (200, 503)
            assert answer.json()["code"] == "database_unavailable"

            await server.start()
            report = (await sample.http.get("/readyz")).json()
            assert report["checks"]["queues"] == "ok"
            await asyncio.to_thread(migrations.upgrade, "sample", url)
            await sample.ready(200)

            await server.stop()
            sample.process.send_signal(signal.SIGTERM)
            assert await sample.left() == 0


@pytest.mark.usefixtures("queues")
async def test_leaving_finishes_what_was_begun_and_hands_back_the_rest(
    url, stored, environment, issuer
):
    async with running(url, environment) as sample, stored.begin() as tx:
        await sample.ready()
        # What writes a note, or hears of one, has to wait for this.
        await tx.execute(sa.text("LOCK TABLE notes, heard IN EXCLUSIVE MODE"))
        request = asyncio.create_task(take(sample, issuer, "in flight"))
        await eventually(waiting_for_locks(stored, 1))

        sample.process.send_signal(signal.SIGTERM)
        await sample.has_logged("Leaving")
        await tx.commit()

        assert (await request).status_code == 201
        assert await sample.left() == 0
    assert await count(stored, notes) == 1


def waiting_for_locks(database: Database, number: int) -> Any:
    query = sa.text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )

    async def check() -> bool:
        async with database.begin() as tx:
            return int((await tx.execute(query)).scalar_one()) >= number

    return check


@pytest.mark.usefixtures("queues")
async def test_the_next_takes_up_what_one_left_that_was_killed_or_could_not_finish(
    url, stored, environment, issuer
):
    async with running(url, environment) as sample:
        await sample.ready()
        await asyncio.gather(*(take(sample, issuer, str(n)) for n in range(20)))
        sample.process.kill()

    async with running(url, {**environment, "SAMPLE_LEAVES_WITHIN_S": "2"}) as hurried:
        await eventually(has(stored, heard, 20), within_s=40)
        async with stored.begin() as tx:
            await tx.execute(sa.text("LOCK TABLE heard IN EXCLUSIVE MODE"))
            await take(hurried, issuer, "stuck")
            await eventually(waiting_for_locks(stored, 1))

            hurried.process.send_signal(signal.SIGTERM)

            assert await hurried.left() == 0
    async with running(url, environment):
        await eventually(has(stored, heard, 21), within_s=30)


@pytest.mark.usefixtures("queues")
async def test_a_taken_port_ends_the_process(url, environment):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(environment["SAMPLE_PORT"])))
        taken.listen()
        async with running(url, environment) as sample:
            assert await sample.left(STARTS_WITHIN_S) != 0
    assert "address already in use" in json.dumps(sample.logs)


@pytest.mark.usefixtures("queues")
async def test_a_part_that_dies_takes_the_process_with_it(url, environment):
    crashing = {**environment, "SAMPLE_CRASH": "true"}
    async with running(url, crashing) as sample:
        assert await sample.left(STARTS_WITHIN_S) == 1

    (died,) = [entry for entry in sample.logs if entry["message"] == "Died"]
    assert "a part that dies" in json.dumps(died["exception"])


@pytest.mark.usefixtures("queues")
async def test_roles_split_requests_from_events(url, stored, environment, issuer):
    async with running(url, {**environment, "SAMPLE_ROLES": "api"}) as api:
        await api.ready()
        await take(api, issuer)
        await api.has_logged("Events published")
        assert await count(stored, heard) == 0

        other_port = {"SAMPLE_PORT": str(free_port()), "SAMPLE_ROLES": "consumer"}
        async with running(url, environment | other_port):
            await eventually(has(stored, heard, 1), within_s=30)


def test_an_unknown_word_is_told_what_there_is(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["sample", "fly"])
    monkeypatch.setattr(gc, "freeze", lambda: None)  # what other tests left is garbage

    with pytest.raises(SystemExit) as told:
        SERVICE.main()

    assert told.value.code == "usage: python -m sample [migrate|openapi]"


async def test_a_replica_serves_the_reads_that_may_be_late():
    settings = Settings(database_url="postgresql://nobody@localhost/nothing")
    aws = Aws(None, None, region="us-east-1", account_id="000000000000")
    database, replica = (
        Database("postgresql://nobody@localhost/nothing", application_name=name)
        for name in ("tests", "replica")
    )

    alone = Runtime(settings=settings, database=database, aws=aws)
    both = Runtime(settings=settings, database=database, aws=aws, replica=replica)

    assert (alone.reader, both.reader) == (database, replica)
    assert SERVICE.assemble(both).app.state.reader is replica
