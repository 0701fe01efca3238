"""Where Docker does not answer, nobody notices but the header."""

import gc
import socket
import warnings
from pathlib import Path

import pytest

from tests import backends


def test_a_docker_that_refuses_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "docker.sock"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    monkeypatch.delenv("ORDERLY_TEST_BACKENDS", raising=False)
    with warnings.catch_warnings(action="ignore"):
        gc.collect()  # what others left open is not this test's

    with warnings.catch_warnings(record=True, action="always") as seen:
        choice = backends.choice.__wrapped__()
        gc.collect()

    assert not choice.docker
    assert [str(warning.message) for warning in seen] == []
