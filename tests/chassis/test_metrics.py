import re

import pytest

from chassis import metrics


@pytest.mark.parametrize("metric", metrics.REGISTRY.values(), ids=lambda m: m.name)
def test_a_metric_says_what_it_is_and_in_what_it_is_counted(metric):
    assert re.fullmatch(r"orderly(\.[a-z_]+)+", metric.name)
    assert metric.description
    assert metric.unit


STANDING = {
    "orderly.outbox.lag",
    "orderly.queue.dead_letters",
    "orderly.queue.depth",
    "orderly.queue.oldest",
}


def test_what_may_be_wrong_while_nothing_happens_is_told_all_the_time():
    kinds = {metrics.REGISTRY[name].kind for name in STANDING}

    assert kinds == {"standing"}


def test_two_metrics_cannot_have_one_name():
    (name, *_) = metrics.REGISTRY

    with pytest.raises(ValueError, match=name):
        metrics.counter(name, "{event}", "The same again")
