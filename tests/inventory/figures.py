"""What the tables say, and whether they agree."""

from collections.abc import Sequence

from sqlalchemy import RowMapping, select, text

from chassis.database import Tx
from inventory.schema import metadata

# Each query finds what cannot be.
_CONTRADICTIONS = {
    "movements are not stock": """
        SELECT sku, location FROM stock FULL JOIN (
            SELECT sku, location, sum(on_hand_change) AS on_hand,
                sum(reserved_change) AS reserved
            FROM movements GROUP BY sku, location
        ) AS moved USING (sku, location)
        WHERE stock.on_hand IS DISTINCT FROM coalesce(moved.on_hand, 0)
            OR stock.reserved IS DISTINCT FROM coalesce(moved.reserved, 0)
        """,
    "allocations and holds are not stock": """
        SELECT sku, location FROM stock FULL JOIN (
            SELECT sku, location, sum(reserved) AS kept FROM (
                SELECT sku, location, allocations.reserved
                FROM allocations JOIN reservation_lines USING (order_id, line)
                UNION ALL SELECT sku, location, reserved FROM hold_allocations
            ) AS all_kept GROUP BY sku, location
        ) AS kept USING (sku, location)
        WHERE stock.reserved IS DISTINCT FROM coalesce(kept.kept, 0)
        """,
    "allocations are not lines": """
        SELECT order_id, line FROM reservation_lines LEFT JOIN (
            SELECT order_id, line, sum(reserved) AS kept, sum(shipped) AS gone
            FROM allocations GROUP BY order_id, line
        ) AS kept USING (order_id, line)
        WHERE reserved <> coalesce(kept, 0) OR shipped <> coalesce(gone, 0)
        """,
    "cancellations are not lines": """
        SELECT order_id, line FROM reservation_lines LEFT JOIN (
            SELECT order_id, line, sum(released) AS units
            FROM cancellations JOIN cancellation_lines USING (cancellation_id)
            GROUP BY order_id, line
        ) AS told USING (order_id, line)
        WHERE voided + released <> coalesce(units, 0)
        """,
    "shipments are not lines": """
        SELECT order_id, line FROM reservation_lines LEFT JOIN (
            SELECT order_id, line, sum(quantity) AS units, sum(cost) AS worth
            FROM shipments JOIN shipment_lines USING (shipment_id)
            GROUP BY order_id, line
        ) AS told USING (order_id, line)
        WHERE shipped <> coalesce(units, 0) OR cost_shipped <> coalesce(worth, 0)
        """,
    "returns are not lines": """
        SELECT order_id, line FROM reservation_lines LEFT JOIN (
            SELECT order_id, line, sum(quantity) AS units, sum(cost) AS worth
            FROM return_receipts JOIN return_receipt_lines USING (receipt_id)
            GROUP BY order_id, line
        ) AS told USING (order_id, line)
        WHERE returned <> coalesce(units, 0) OR cost_returned <> coalesce(worth, 0)
        """,
    "a hold keeps what it should not": """
        SELECT id, sku FROM holds JOIN hold_lines ON hold_id = id LEFT JOIN (
            SELECT hold_id AS id, sku, sum(reserved) AS kept
            FROM hold_allocations GROUP BY hold_id, sku
        ) AS kept USING (id, sku)
        GROUP BY id, sku, kept
        HAVING CASE status WHEN 'held' THEN sum(quantity) ELSE 0 END
            <> coalesce(kept, 0)
        """,
    "a product is low, or not, and nobody noticed": """
        SELECT sku FROM products LEFT JOIN stock USING (sku)
        GROUP BY sku HAVING low <> coalesce(
            coalesce(sum(on_hand - stock.reserved), 0) <= reorder_point, false
        )
        """,
    "a reservation is in the wrong state": """
        SELECT order_id FROM reservations JOIN (
            SELECT order_id, sum(reserved + backordered) > 0 AS open
            FROM reservation_lines GROUP BY order_id
        ) AS lines USING (order_id)
        WHERE (state = 'open') <> open
        """,
    "somebody waits for what is free": """
        SELECT sku FROM reservation_lines WHERE backordered > 0 AND sku IN (
            SELECT sku FROM stock WHERE on_hand > reserved
        )
        """,
}

_FOUND = text(
    " UNION ALL ".join(
        f"SELECT '{what}' WHERE EXISTS ({query})"
        for what, query in _CONTRADICTIONS.items()
    )
)


async def assert_books_agree(tx: Tx) -> None:
    assert (await tx.execute(_FOUND)).scalars().all() == []


async def quantities(tx: Tx, table: str, **wanted: object) -> Sequence[RowMapping]:
    """The table's rows, in the order of their key."""
    found = metadata.tables[table]
    query = select(found).filter_by(**wanted).order_by(*found.primary_key)
    return (await tx.execute(query)).mappings().all()
