import os
import subprocess
import sys
from collections.abc import Iterator
from fcntl import F_SETPIPE_SZ, fcntl
from time import monotonic

import pytest

from chassis.stdout import Lines
from chassis.testing import eventually

TO_CLOSED_PIPE = """
import structlog, sys
from chassis import logs
from chassis.settings import ServiceSettings

logs.setup("sample", ServiceSettings(database_url="postgresql://"))
sys.stdin.readline()
for number in range(1000):
    structlog.get_logger().info("A line", number=number)
print("alive", file=sys.stderr)
"""


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reads, writes = os.pipe()
    fcntl(writes, F_SETPIPE_SZ, 4096)
    yield reads, writes
    os.close(reads)


def read_until(reads: int, end: bytes) -> bytes:
    content = b""
    while end not in content:
        content += os.read(reads, 65536)
    return content


async def test_lines_come_in_their_order(pipe):
    reads, writes = pipe
    lines = Lines(writes, "lost {}\n".format)

    for number in range(1000):
        lines.write(f"{number}\n")

    content = read_until(reads, b"999\n")
    assert content.decode().split() == [str(number) for number in range(1000)]


async def test_a_reader_that_stands_still_holds_nobody_up_and_learns_what_it_missed(
    pipe,
):
    reads, writes = pipe
    lines = Lines(writes, "lost {}\n".format, most_waiting=50)
    began = monotonic()

    for number in range(10_000):
        lines.write(f"{number:0100}\n")

    assert monotonic() - began < 60
    told = ""
    while sum(accounted(told)) < 10_000:
        told += os.read(reads, 65536).decode()
    written, lost = accounted(told)
    assert written + lost == 10_000
    assert written < 1000


def accounted(told: str) -> tuple[int, int]:
    """The lines that were written, and how many are said to be lost."""
    *lines, _ = told.split("\n")
    lost = [int(line.split()[1]) for line in lines if line.startswith("lost")]
    return len(lines) - len(lost), sum(lost)


async def test_a_disk_that_is_full_for_a_while_ends_no_log(pipe):
    reads, writes = pipe
    file = os.open("/dev/full", os.O_WRONLY)
    lines = Lines(file, "lost {}\n".format)

    async def is_taken() -> bool:
        return lines.waiting == 0

    for text in ("a line\n", "another\n", "a third\n"):
        lines.write(text)
        await eventually(is_taken)
    os.dup2(writes, file)
    lines.write("after\n")

    assert sum(accounted(read_until(reads, b"after\n").decode())) == 4


async def test_when_the_reader_is_gone_nothing_waits_for_it():
    reads, writes = os.pipe()
    os.close(reads)
    lines = Lines(writes, "lost {}\n".format)
    lines.write("a line\n")

    async def is_closed() -> bool:
        return lines.closed

    await eventually(is_closed)
    lines.write("another\n")
    os.close(writes)

    assert lines.waiting == 0


def test_a_service_outlives_who_reads_its_log():
    with subprocess.Popen(  # noqa: S603 - our own words
        [sys.executable, "-c", TO_CLOSED_PIPE],
        env={"PYTHONPATH": ":".join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        process.stdout.close()
        process.stdout = None
        _, said = process.communicate("go\n", timeout=90)

        assert (process.returncode, said) == (0, "alive\n")
