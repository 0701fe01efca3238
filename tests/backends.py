"""Where the tests' PostgreSQL and SQS/SNS come from: containers, or wheels.

`ORDERLY_TEST_BACKENDS=docker|embedded` decides; otherwise Docker is used if it answers
and has or gets the images.
"""

import gc
import os
import warnings
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from functools import lru_cache

import docker
from docker.errors import DockerException
from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import HttpWaitStrategy
from typing_extensions import override

from orderly.stack.emulator import CREDENTIALS, Emulator
from orderly.stack.postgres import Postgres

POSTGRES = "postgres:17"
LOCALSTACK = "localstack/localstack:4.14.0"
LOCALSTACK_PORT = 4566


@dataclass(frozen=True)
class Choice:
    docker: bool
    why: str

    @override
    def __str__(self) -> str:
        what = (
            f"{POSTGRES} and {LOCALSTACK} in containers" if self.docker else "embedded"
        )
        return f"PostgreSQL and SQS/SNS: {what} ({self.why})"


@lru_cache(maxsize=1)
def choice() -> Choice:
    wanted = os.environ.get("ORDERLY_TEST_BACKENDS", "auto")
    if wanted in {"docker", "embedded"}:
        return Choice(wanted == "docker", "as ORDERLY_TEST_BACKENDS says")
    try:
        with closing(docker.from_env()) as client:
            client.ping()
            images = (POSTGRES, LOCALSTACK)
            missing = [image for image in images if not _has(client, image)]
    except DockerException as error:
        return Choice(docker=False, why=f"Docker: {type(error).__name__}")
    finally:
        _collect_sockets()
    if missing:
        return Choice(docker=False, why=f"no image {' nor '.join(missing)}")
    return Choice(docker=True, why="Docker answers")


def _collect_sockets() -> None:
    """Docker's client leaves a socket open that it could not connect.

    Collected later, it would be the fault of whichever test runs then.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def _has(client: docker.DockerClient, image: str) -> bool:
    """Whether the image is there, or could be fetched."""
    if client.images.list(image):
        return True
    try:
        client.images.pull(image)
    except DockerException:
        return False
    return True


def _prepare_docker() -> None:
    """Without its cleaner's image, containers are still stopped by who started them."""
    with closing(docker.from_env()) as client:
        if not _has(client, testcontainers_config.ryuk_image):
            testcontainers_config.ryuk_disabled = True


@asynccontextmanager
async def postgres() -> AsyncIterator[str]:
    """The URL of a superuser on a server of our own."""
    if not choice().docker:
        async with Postgres.throwaway() as server:
            yield server.url()
        return
    _prepare_docker()
    container = PostgresContainer(POSTGRES, driver=None).with_command(
        "-c fsync=off -c max_connections=200"
    )
    with container:
        yield container.get_connection_url()


@asynccontextmanager
async def aws() -> AsyncIterator[Mapping[str, str]]:
    """The environment that makes AWS clients talk to our own SQS and SNS."""
    if not choice().docker:
        async with Emulator.throwaway() as emulator:
            yield emulator.aws_environment
        return
    _prepare_docker()
    container = (
        DockerContainer(LOCALSTACK)
        .with_exposed_ports(LOCALSTACK_PORT)
        .with_env("SERVICES", "sqs,sns")
        .waiting_for(HttpWaitStrategy(LOCALSTACK_PORT, "/_localstack/health"))
    )
    with container:
        host = container.get_container_host_ip()
        port = container.get_exposed_port(LOCALSTACK_PORT)
        yield {**CREDENTIALS, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}
