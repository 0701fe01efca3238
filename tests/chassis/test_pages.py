from datetime import date
from uuid import UUID, uuid4

import pytest

from chassis.errors import Malformed
from chassis.pages import Window


def test_a_cursor_is_read_back_into_what_it_was_made_of():
    id_ = uuid4()

    start = Window(50, ("2026-03-01", str(id_))).start(date.fromisoformat, UUID)

    assert start == (date(2026, 3, 1), id_)


@pytest.mark.parametrize("after", [("x", "y"), ("2026-03-01",), (1, None), ({}, [])])
def test_a_cursor_of_somebody_elses_is_refused(after):
    with pytest.raises(Malformed):
        Window(50, after).start(date.fromisoformat, UUID)


def test_the_first_page_starts_nowhere():
    assert Window(50, None).start(UUID) is None
