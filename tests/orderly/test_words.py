import pytest

from orderly.words import some


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 orders"), (1, "1 order"), (1200, "1,200 orders")]
)
def test_one_is_not_many(count, said):
    assert some(count, "order") == said
