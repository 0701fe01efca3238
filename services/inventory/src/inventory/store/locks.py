"""Products and reservations, kept from others by one statement.

Its own snapshot is from before it waited: what it tells is of the rows that it locked,
and everything else is read by the statements that follow.
"""

from collections.abc import Collection, Iterable
from uuid import UUID

from msgspec import Struct
from sqlalchemy import Text, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.database import Tx, run
from inventory.domain.products import KnownProduct
from inventory.domain.reservations import State
from inventory.schema import products
from inventory.store.products import known_product

# Also those that are not there yet are held: theirs is the row that waits for them.
# The conflict changes nothing, but waits for whoever has the row, and has it then.
_HOLD = text(
    f"""
    WITH wanted AS (
        SELECT unnest(:skus) AS sku
        UNION SELECT sku FROM reservation_lines WHERE order_id = ANY(:order_ids)
        UNION SELECT sku FROM hold_lines WHERE hold_id = ANY(:hold_ids)
    ), held_products AS (
        SELECT {", ".join(products.c.keys())}
        FROM products WHERE sku = ANY(ARRAY(SELECT sku FROM wanted))
        ORDER BY sku FOR NO KEY UPDATE
    ), held_orders AS (
        INSERT INTO reservations (order_id)
        SELECT order_id FROM unnest(:order_ids) AS given (order_id)
        WHERE (SELECT count(*) FROM held_products) >= 0  -- all of them first
        ON CONFLICT (order_id) DO UPDATE SET order_id = excluded.order_id
        RETURNING order_id, version AS order_version, state
    )
    SELECT * FROM held_products FULL JOIN held_orders ON false
    """  # noqa: S608 - columns of ours
).bindparams(
    bindparam("skus", type_=ARRAY(Text)),
    bindparam("order_ids", type_=ARRAY(Uuid)),
    bindparam("hold_ids", type_=ARRAY(Uuid)),
)


class Head(Struct, frozen=True):
    """How far a reservation that is kept from others has come."""

    version: int
    state: State


async def hold(
    tx: Tx,
    order_ids: Collection[UUID],
    *,
    skus: Iterable[str] = (),
    hold_ids: Iterable[UUID] = (),
) -> tuple[dict[str, KnownProduct], dict[UUID, Head]]:
    """Keep orders from others, but first these products, and those that the orders and
    the holds are about, as far as they are known.
    """
    given = {
        "skus": list(set(skus)),
        "order_ids": sorted(set(order_ids)),
        "hold_ids": list(hold_ids),
    }
    held = await run(tx, _HOLD, given)
    known = {row["sku"]: known_product(row) for row in held if row["sku"]}
    orders = {
        row["order_id"]: Head(row["order_version"], State(row["state"]))
        for row in held
        if row["order_id"]
    }
    return known, orders
