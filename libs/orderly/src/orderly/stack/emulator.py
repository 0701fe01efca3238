"""An SQS/SNS API on loopback, from a wheel. It forgets everything when it stops."""

import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Self

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from typing_extensions import override

from chassis.queues import Aws
from orderly.errors import StackError
from orderly.stack.ports import free_port
from orderly.stack.processes import Part, Process, answers

REGION = "us-east-1"
ACCOUNT_ID = "000000000000"
# `make setup` puts it here: within the clone's environment, yet apart from it.
PYTHON = Path(sys.prefix) / "emulator" / "bin" / "python"
READY_WITHIN_S = 60.0
# Whatever AWS configuration the person at this machine has is not meant for us.
CREDENTIALS: Mapping[str, str] = MappingProxyType(
    {
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
)


class Emulator(Part):
    def __init__(
        self,
        home: Path,
        port: int,
        *,
        log: Path | None = None,
        run_file: Path | None = None,
        throwaway: bool = False,
    ) -> None:
        self.home = home
        self.port = port
        self.process = Process(
            name="emulator",
            argv=[PYTHON, "-m", "ministack"],
            env=_environment(home, port),
            log=log or home / "emulator.log",
            run_file=run_file,
            # It keeps nothing, so there is nothing for it to put in order.
            stop_signals=(),
            leashed=throwaway,
        )

    @classmethod
    @asynccontextmanager
    async def throwaway(cls) -> AsyncIterator[Self]:
        """Run an emulator of one's own, for tests."""
        home = Path(tempfile.mkdtemp(prefix="orderly-emulator-"))
        emulator = cls(home, free_port(), throwaway=True)
        try:
            await emulator.start()
            yield emulator
        finally:
            await emulator.stop()
            shutil.rmtree(home)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def aws_environment(self) -> dict[str, str]:
        """What makes an AWS client talk to this emulator and to nobody else."""
        return {"AWS_ENDPOINT_URL": self.url, **CREDENTIALS}

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Aws]:
        """Make clients of this emulator, whatever this process's environment says."""
        session = get_session()
        options = {
            "region_name": REGION,
            "endpoint_url": self.url,
            "aws_access_key_id": "local",
            "aws_secret_access_key": "local",
            "config": AioConfig(connect_timeout=5, read_timeout=30, proxies={}),
        }
        async with (
            session.create_client("sqs", **options) as sqs,
            session.create_client("sns", **options) as sns,
        ):
            yield Aws(sqs, sns, region=REGION, account_id=ACCOUNT_ID)

    @override
    async def start(self) -> None:
        if not PYTHON.exists():
            raise StackError(
                f"The SQS/SNS emulator is missing ({PYTHON}): `make setup`."
            )
        self.home.mkdir(parents=True, exist_ok=True)
        await self.process.start()
        await self.process.ready(self._answers, within_s=READY_WITHIN_S)

    async def _answers(self) -> bool:
        return await answers(self.port, "/_ministack/health")


def _environment(home: Path, port: int) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "TMPDIR": str(home),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "SERVICES": "sqs,sns",
        # This one listens on every interface, whatever BIND_HOST and SERVICES say.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # It would tidy up containers in the Docker of this machine.
        "DOCKER_HOST": f"unix://{home}/no-docker",
        "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
        "MINISTACK_REGION": REGION,
        "LOG_LEVEL": "WARNING",
    }
