import json
import subprocess
import sys
from typing import Any

import pytest

pytestmark = pytest.mark.xdist_group("logs")  # one process writes for them all

SCRIPT = """
import logging, structlog
from chassis import logs, tracing
from chassis.settings import ServiceSettings

settings = ServiceSettings(database_url="postgresql://", log_format="{form}")
logs.setup("sample", settings)
log = structlog.get_logger("tests")
with tracing.beginning("work"):
    log.info("Note taken", note_id="n-1", text="two\\nlines ü")
with tracing.handling("notes", [("n-7", None)]):
    log.info("Note handled")
with tracing.handling("notes", [("n-7", None)], named="note_id"):
    log.info("Named note handled")
with tracing.handling("notes", [("n-7", None), ("n-8", None)]):
    log.info("Notes handled")
log.debug("Too small")
log.error("Odd", value=object())
logging.getLogger("library").warning("Library says %s", "hello")
logging.getLogger("library").info("Library chats")
try:
    password = "secret"
    raise ValueError("broken")
except ValueError:
    log.exception("Failed")
    logging.getLogger("library").exception("Library failed")
try:
    raise ExceptionGroup("several", [ValueError("one"), KeyError("two")])
except ExceptionGroup:
    log.exception("Failed together")
"""


def lines_of(form: str) -> list[str]:
    ran = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", SCRIPT.replace("{form}", form)],
        env={"PYTHONPATH": ":".join(sys.path), "PYTHONIOENCODING": "utf-8"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert ran.stderr == ""
    return ran.stdout.splitlines()


@pytest.fixture(scope="module")
def entries() -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines_of("json")]


def test_every_line_is_json_and_says_what_when_and_who(entries):
    assert [entry["message"] for entry in entries] == [
        "Note taken",
        "Note handled",
        "Named note handled",
        "Notes handled",
        "Odd",
        "Library says hello",
        "Failed",
        "Library failed",
        "Failed together",
    ]
    for entry in entries:
        assert {"level", "time", "service"} <= entry.keys()
    assert (entries[0]["note_id"], entries[0]["text"]) == ("n-1", "two\nlines ü")


def test_a_line_within_a_span_carries_its_trace(entries):
    assert len(entries[0]["trace_id"]) == 32
    assert "trace_id" not in entries[4]


def test_a_line_of_a_batch_of_one_says_what_it_is_about(entries):
    assert entries[1]["subject"] == "n-7"
    assert entries[2]["note_id"] == "n-7"
    assert not {"subject", "note_id"} & entries[3].keys()


def test_a_traceback_shows_no_variables(entries):
    failed = entries[6]

    assert failed["exception"][0]["exc_value"] == "broken"
    assert "secret" not in json.dumps(entries)


def test_lines_for_people_can_be_read():
    lines = lines_of("console")

    assert "Note taken" in lines[0]
    assert "note_id" in lines[0]
    assert any("ValueError: broken" in line for line in lines)
    assert "secret" not in "".join(lines)
