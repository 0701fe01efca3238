"""What `orderly dead-letters redrive` says of what it did."""

import pytest

from orderly.cli.dead_letters import tell_redriven
from orderly.errors import StackError
from orderly.operations import Redriven


def test_what_sqs_did_not_delete_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    tell_redriven(Redriven(2, kept=frozenset({"letter-7"})))

    assert "Redriven: 2 dead letters." in (said := capsys.readouterr().out)
    assert "letter-7" in said


def test_what_is_nowhere_is_named_and_is_a_failure() -> None:
    with pytest.raises(StackError, match="Not found: letter-8"):
        tell_redriven(Redriven(1, nowhere=frozenset({"letter-8"})))


def test_that_there_was_nothing_to_do_is_no_failure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tell_redriven(Redriven(0))

    assert "There are no dead letters." in capsys.readouterr().out
