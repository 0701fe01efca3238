"""What happens to an order after it is placed, and the indexes of its lists."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

NEWEST = ("placed_at", "id")


def upgrade() -> None:
    _widen_orders()
    _widen_order_lines()
    _create_cancellations()
    _create_returns()
    _index_orders()


def _widen_orders() -> None:
    op.add_column("orders", _moment("rescue_at"))
    for counter in ("answers", "shipments", "receipts"):
        op.add_column(
            "orders",
            sa.Column(
                f"{counter}_announced", sa.Integer, nullable=False, server_default="0"
            ),
        )
    op.create_check_constraint(
        "orders_announced",
        "orders",
        "answers_announced >= 0 AND shipments_announced >= 0"
        " AND receipts_announced >= 0",
    )
    op.create_check_constraint(
        "orders_rescue_undecided", "orders", "rescue_at IS NULL OR decided_at IS NULL"
    )


def _widen_order_lines() -> None:
    # The default is for processes of the version before, which do not know the column.
    op.add_column(
        "order_lines",
        sa.Column(
            "placed_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
        ),
    )
    op.execute(
        "UPDATE order_lines SET placed_at = orders.placed_at"
        " FROM orders WHERE orders.id = order_lines.order_id"
    )
    op.create_index(
        "order_lines_by_sku", "order_lines", ["sku", "placed_at", "order_id"]
    )


def _create_cancellations() -> None:
    op.create_table(
        "cancellations",
        sa.Column("order_id", sa.Uuid, sa.ForeignKey("orders.id"), nullable=False),
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        _moment("requested_at", nullable=False),
        _moment("decided_at"),
        _moment("rescue_at"),
        sa.PrimaryKeyConstraint("order_id", "id"),
        sa.CheckConstraint(
            "status IN ('requested', 'completed', 'partly_completed', 'refused')",
            name="cancellations_status",
        ),
        sa.CheckConstraint(
            "(status = 'requested') = (decided_at IS NULL)",
            name="cancellations_decided",
        ),
        sa.CheckConstraint(
            "rescue_at IS NULL OR decided_at IS NULL",
            name="cancellations_rescue_open",
        ),
    )
    op.create_index(
        "cancellations_open",
        "cancellations",
        ["rescue_at", "requested_at"],
        postgresql_where=sa.text("decided_at IS NULL"),
    )
    op.create_table(
        "cancellation_lines",
        sa.Column("order_id", sa.Uuid, nullable=False),
        sa.Column("cancellation_id", sa.Uuid, nullable=False),
        sa.Column("line", sa.SmallInteger, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("cancelled", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("order_id", "cancellation_id", "line"),
        sa.ForeignKeyConstraint(
            ["order_id", "cancellation_id"],
            ["cancellations.order_id", "cancellations.id"],
        ),
        sa.CheckConstraint("quantity >= 1", name="cancellation_lines_quantity"),
        sa.CheckConstraint(
            "cancelled BETWEEN 0 AND quantity", name="cancellation_lines_cancelled"
        ),
    )


def _create_returns() -> None:
    op.create_table(
        "returns",
        sa.Column("order_id", sa.Uuid, sa.ForeignKey("orders.id"), nullable=False),
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("reason", sa.Text),
        _moment("authorised_at"),
        _moment("expires_at"),
        _moment("received_at"),
        sa.PrimaryKeyConstraint("order_id", "id"),
        sa.CheckConstraint(
            "CASE WHEN authorised_at IS NULL"
            " THEN expires_at IS NULL AND received_at IS NOT NULL"
            " ELSE expires_at IS NOT NULL AND expires_at > authorised_at END",
            name="returns_authorised",
        ),
    )
    op.create_table(
        "return_lines",
        sa.Column("order_id", sa.Uuid, nullable=False),
        sa.Column("return_id", sa.Uuid, nullable=False),
        sa.Column("line", sa.SmallInteger, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("received", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("order_id", "return_id", "line"),
        sa.ForeignKeyConstraint(
            ["order_id", "return_id"], ["returns.order_id", "returns.id"]
        ),
        sa.CheckConstraint(
            "quantity >= 0 AND received >= 0 AND quantity + received >= 1",
            name="return_lines_units",
        ),
    )


def _index_orders() -> None:
    op.create_index("orders_newest", "orders", [*NEWEST])
    op.create_index("orders_by_status", "orders", ["status", *NEWEST])
    op.create_index("orders_by_channel", "orders", ["channel", *NEWEST])
    op.create_index("orders_by_customer", "orders", ["customer_id", *NEWEST])
    op.create_index(
        "orders_by_reference",
        "orders",
        ["reference", *NEWEST],
        postgresql_where=sa.text("reference IS NOT NULL"),
    )
    op.create_index(
        "orders_undecided",
        "orders",
        ["rescue_at", "placed_at"],
        postgresql_where=sa.text("decided_at IS NULL"),
    )


def _moment(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)
