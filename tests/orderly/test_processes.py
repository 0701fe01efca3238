import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest
from typing_extensions import override

from chassis.testing import eventually
from orderly.errors import StackError
from orderly.stack.folder import Folder
from orderly.stack.keeper import keep
from orderly.stack.leftovers import stop_leftovers
from orderly.stack.processes import Identity, Part, Process

SLEEPS = "import time; time.sleep(60)"
IS_DEAF = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    f"print('deaf', flush=True); {SLEEPS}"
)


class Sleeper(Part):
    def __init__(self, folder: Path, script: str = SLEEPS, name: str = "sleeper"):
        self.process = Process(
            name=name,
            argv=[sys.executable, "-c", script],
            env=dict(os.environ),
            log=folder / f"{name}.log",
            run_file=folder / "run" / f"{name}.json",
            stop_signals=((signal.SIGTERM, 0.5),),
            leashed=True,
        )

    @override
    async def start(self) -> None:
        await self.process.start()


async def said(sleeper: Sleeper, words: str) -> bool:
    return words in sleeper.process.output()


async def test_ctrl_c_does_not_reach_it(tmp_path):
    sleeper = Sleeper(tmp_path)
    await sleeper.start()

    assert os.getsid(sleeper.process.pid) != os.getsid(0)
    await sleeper.stop()


async def test_one_that_does_not_listen_is_killed(tmp_path):
    deaf = Sleeper(tmp_path, IS_DEAF)
    await deaf.start()
    await deaf.process.ready(lambda: said(deaf, "deaf"), within_s=10)

    await deaf.stop()

    assert await deaf.wait() == -signal.SIGKILL


async def test_one_that_ends_at_once_says_its_last_words(tmp_path):
    broken = Sleeper(tmp_path, "raise SystemExit('no such luck')")
    await broken.start()

    with pytest.raises(StackError, match="no such luck"):
        await broken.process.ready(lambda: said(broken, "hello"), within_s=10)


async def test_another_process_with_the_same_pid_is_not_taken_for_it():
    argv = psutil.Process().cmdline()

    assert Identity.of(os.getpid(), argv).process() is not None
    assert Identity(pid=os.getpid(), started=1.0, argv=argv).process() is None
    assert Identity.of(os.getpid(), ["other"]).process() is None


async def test_what_a_killed_supervisor_left_is_ended(tmp_path, told):
    folder = Folder(tmp_path)
    left = Sleeper(tmp_path, name="orders")
    await left.start()

    await stop_leftovers(folder, told)

    assert await left.wait() == -signal.SIGTERM
    assert "orders: " in told
    assert not folder.run_file("orders").exists()


async def test_a_stranger_with_a_leftovers_pid_is_left_alone(tmp_path, told):
    folder = Folder(tmp_path)
    stranger = Sleeper(tmp_path)
    await stranger.start()
    identity = Identity(pid=stranger.process.pid, started=1.0, argv=["orders"])
    identity.write(folder.run_file("orders"))

    await stop_leftovers(folder, told)

    assert stranger.process.running
    await stranger.stop()


async def test_one_that_dies_is_started_again(tmp_path, told):
    sleeper = Sleeper(tmp_path)
    await sleeper.start()
    first = sleeper.process.pid
    keeping = asyncio.create_task(keep(sleeper, sleeper.start, told))

    os.kill(first, signal.SIGKILL)

    async def is_back() -> bool:
        return sleeper.process.running and sleeper.process.pid != first

    await eventually(is_back)
    assert "sleeper: ended (killed by SIGKILL)" in told
    keeping.cancel()
    await sleeper.stop()


@pytest.mark.parametrize(
    "failure",
    [StackError("not yet"), OSError("not yet"), ExceptionGroup("not yet", [OSError()])],
)
async def test_one_that_cannot_be_started_is_tried_again(tmp_path, told, failure):
    sleeper = Sleeper(tmp_path, "")
    await sleeper.start()
    attempts = 0

    async def start_at_the_second_attempt() -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise failure

    keeping = asyncio.create_task(keep(sleeper, start_at_the_second_attempt, told))

    async def was_tried_twice() -> bool:
        return attempts == 2

    await eventually(was_tried_twice)
    assert "could not be started again: not yet" in told
    keeping.cancel()
