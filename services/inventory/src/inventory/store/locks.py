"""Products and reservations, kept from others by one statement.

Its own snapshot is from before it waited: what it tells is of the rows that it locked,
and everything else is read by the statements that follow.
"""

from collections.abc import Collection
from operator import attrgetter
from uuid import UUID

from msgspec import Struct
from sqlalchemy import DateTime, Text, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.database import Tx, columns_from, run
from inventory.domain.products import KnownProduct
from inventory.domain.reservations import Reservation, State
from inventory.schema import products
from inventory.store.products import known_product

# Also those that are not there yet are held: theirs is the row that waits for them, or,
# where the order has just come, the row that nearly all of them have when it is saved.
# The conflict changes nothing, but waits for whoever has the row, and has it then: who
# holds a row that was there is its xmax.
_HOLD = text(
    f"""
    WITH wanted AS (
        SELECT unnest(:skus) AS sku
        UNION SELECT sku FROM reservation_lines
            WHERE order_id = ANY(:order_ids || :placed_ids)
        UNION SELECT sku FROM hold_lines WHERE hold_id = ANY(:hold_ids)
    ), held_products AS (
        SELECT {", ".join(products.c.keys())}
        FROM products WHERE sku = ANY(ARRAY(SELECT sku FROM wanted))
        ORDER BY sku FOR NO KEY UPDATE
    ), held_orders AS (
        INSERT INTO reservations (order_id, version, state, policy, placed_at, cause)
        SELECT * FROM (
            SELECT unnest(:order_ids), 0, 'awaited', NULL, NULL, NULL
            UNION ALL
            SELECT unnest(:placed_ids), 1, 'open', unnest(:policies),
                unnest(:placed_at), 'order_placed'
        ) AS given (order_id)
        WHERE (SELECT count(*) FROM held_products) >= 0  -- all of them first
        ORDER BY order_id
        ON CONFLICT (order_id) DO UPDATE SET order_id = excluded.order_id
        RETURNING order_id, version AS order_version, state, xmax = 0 AS is_new
    )
    SELECT * FROM held_products FULL JOIN held_orders ON false
    """  # noqa: S608 - columns of ours
).bindparams(
    bindparam("skus", type_=ARRAY(Text)),
    bindparam("order_ids", type_=ARRAY(Uuid)),
    bindparam("placed_ids", type_=ARRAY(Uuid)),
    bindparam("policies", type_=ARRAY(Text)),
    bindparam("placed_at", type_=ARRAY(DateTime(timezone=True))),
    bindparam("hold_ids", type_=ARRAY(Uuid)),
)

_PLACED = {
    "placed_ids": attrgetter("order_id"),
    "policies": attrgetter("policy"),
    "placed_at": attrgetter("placed_at"),
}


class Head(Struct, frozen=True):
    """How far a reservation that is kept from others has come."""

    version: int
    state: State
    is_new: bool

    @property
    def is_awaited(self) -> bool:
        return self.state is State.AWAITED

    @property
    def is_opened(self) -> bool:
        """Its order has just come: nothing else is stored of it yet."""
        return self.is_new and self.state is State.OPEN


async def hold(
    tx: Tx,
    order_ids: Collection[UUID],
    placed: Collection[Reservation] = (),
) -> tuple[dict[str, KnownProduct], dict[UUID, Head]]:
    """Keep orders from others, also those that have just been `placed`, each once, but
    first the products that they and their holds are about, as far as they are known.
    """
    ids = set(order_ids)
    new = [order for order in placed if order.order_id not in ids]
    given = {
        "skus": list({line.sku for order in placed for line in order.lines}),
        "order_ids": list(ids),
        **columns_from(new, _PLACED),
        "hold_ids": list({order.hold_id for order in placed if order.hold_id}),
    }
    held = await run(tx, _HOLD, given)
    known = {row["sku"]: known_product(row) for row in held if row["sku"]}
    orders = {
        row["order_id"]: Head(row["order_version"], State(row["state"]), row["is_new"])
        for row in held
        if row["order_id"]
    }
    return known, orders
