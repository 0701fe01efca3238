"""Products, locations, stock and its movements, receipts, reservations."""

import sqlalchemy as sa
from alembic import op

from chassis.migrations import create_chassis_tables_1, make_append_only

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_chassis_tables_1(op)
    _create_products_and_locations()
    _create_stock()
    _create_movements()
    _create_receipts()
    _create_reservations()


def _time(name: str) -> sa.Column[sa.DateTime]:
    return sa.Column(
        name,
        sa.DateTime(timezone=True),
        nullable=False,
        server_default=sa.text("now()"),
    )


def _quantity(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


def _create_products_and_locations() -> None:
    op.create_table(
        "products",
        sa.Column("sku", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False, server_default="1"),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("unit_cost", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("reorder_point", sa.BigInteger),
        _time("changed_at"),
        sa.CheckConstraint("unit_cost >= 0", name="products_unit_cost"),
        sa.CheckConstraint("reorder_point >= 0", name="products_reorder_point"),
    )
    op.create_table(
        "locations",
        sa.Column("code", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("priority", sa.BigInteger, nullable=False),
    )


def _create_stock() -> None:
    op.create_table(
        "stock",
        sa.Column("sku", sa.Text, sa.ForeignKey("products.sku"), nullable=False),
        sa.Column("location", sa.Text, sa.ForeignKey("locations.code"), nullable=False),
        _quantity("on_hand"),
        _quantity("reserved"),
        sa.PrimaryKeyConstraint("sku", "location"),
        sa.CheckConstraint(
            "0 <= reserved AND reserved <= on_hand", name="stock_never_over"
        ),
    )


def _create_movements() -> None:
    op.create_table(
        "movements",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        _time("at"),
        sa.Column("location", sa.Text, nullable=False),
        sa.Column("sku", sa.Text, nullable=False),
        sa.Column("on_hand_change", sa.BigInteger, nullable=False),
        sa.Column("reserved_change", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.CheckConstraint(
            "on_hand_change <> 0 OR reserved_change <> 0", name="movements_move"
        ),
    )
    op.create_index("movements_sku", "movements", ["sku", "id"])
    op.create_index("movements_reference", "movements", ["reference", "id"])
    make_append_only(op, "movements")


def _create_receipts() -> None:
    op.create_table(
        "receipts",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("location", sa.Text, sa.ForeignKey("locations.code"), nullable=False),
        sa.Column("reference", sa.Text),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "receipt_lines",
        sa.Column("receipt_id", sa.Uuid, sa.ForeignKey("receipts.id"), nullable=False),
        sa.Column("line", sa.Integer, nullable=False),
        sa.Column("sku", sa.Text, sa.ForeignKey("products.sku"), nullable=False),
        sa.Column("quantity", sa.BigInteger, nullable=False),
        sa.Column("unit_cost", sa.BigInteger, nullable=False),
        sa.Column("standard_cost", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("receipt_id", "line"),
        sa.CheckConstraint("quantity > 0", name="receipt_lines_quantity"),
        sa.CheckConstraint("unit_cost >= 0", name="receipt_lines_unit_cost"),
    )


def _create_reservations() -> None:
    op.create_table(
        "reservations",
        sa.Column("order_id", sa.Uuid, primary_key=True),
        _quantity("version"),
        sa.Column("state", sa.Text, nullable=False, server_default="awaited"),
        sa.Column("policy", sa.Text),
        sa.Column("placed_at", sa.DateTime(timezone=True)),
        sa.Column("cause", sa.Text),
        _time("changed_at"),
        sa.CheckConstraint(
            "state IN ('awaited', 'open', 'closed')", name="reservation_state"
        ),
        sa.CheckConstraint(
            "state = 'awaited'"
            " OR (version > 0 AND policy IS NOT NULL AND placed_at IS NOT NULL"
            " AND cause IS NOT NULL)",
            name="reservation_known",
        ),
    )
    op.create_table(
        "reservation_lines",
        sa.Column("order_id", sa.Uuid, nullable=False),
        sa.Column("line", sa.Integer, nullable=False),
        sa.Column("sku", sa.Text, nullable=False),
        sa.Column("requested", sa.BigInteger, nullable=False),
        _quantity("voided"),
        _quantity("reserved"),
        _quantity("backordered"),
        _quantity("shipped"),
        _quantity("released"),
        _quantity("returned"),
        _quantity("cost_shipped"),
        _quantity("cost_returned"),
        sa.PrimaryKeyConstraint("order_id", "line"),
        sa.CheckConstraint(
            "requested > 0 AND voided >= 0 AND reserved >= 0 AND backordered >= 0"
            " AND shipped >= 0 AND released >= 0 AND returned >= 0"
            " AND cost_shipped >= 0 AND cost_returned >= 0",
            name="reservation_lines_not_negative",
        ),
        sa.CheckConstraint(
            "voided + reserved + backordered + shipped + released <= requested",
            name="reservation_lines_add_up",
        ),
        sa.CheckConstraint("returned <= shipped", name="reservation_lines_returned"),
    )
    op.create_index(
        "reservation_lines_backordered",
        "reservation_lines",
        ["sku"],
        postgresql_where=sa.text("backordered > 0"),
    )
    op.create_table(
        "allocations",
        sa.Column("order_id", sa.Uuid, nullable=False),
        sa.Column("line", sa.Integer, nullable=False),
        sa.Column("location", sa.Text, nullable=False),
        _quantity("reserved"),
        _quantity("shipped"),
        sa.PrimaryKeyConstraint("order_id", "line", "location"),
        sa.CheckConstraint(
            "reserved >= 0 AND shipped >= 0", name="allocations_not_negative"
        ),
    )
