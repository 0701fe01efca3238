"""An order and its facts, once a snapshot was heard."""

from collections.abc import Mapping

from orders.domain.facts import Fact
from orders.domain.orders import Order
from orders.domain.settling import settle
from orders.domain.snapshots import Snapshot
from tests.orders.factories import LATER


def settled(order: Order, snapshot: Snapshot) -> tuple[Order, Mapping[int, Fact]]:
    done = settle(order, snapshot, LATER)
    return done.order, done.facts
