"""Orders and their lines."""

import sqlalchemy as sa
from alembic import op

from chassis.migrations import create_chassis_tables_1

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_chassis_tables_1(op)
    op.execute("CREATE SEQUENCE order_number START 1000001")
    _create_orders()
    _create_order_lines()


def _create_orders() -> None:
    op.create_table(
        "orders",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column(
            "serial",
            sa.BigInteger,
            nullable=False,
            server_default=sa.text("nextval('order_number')"),
        ),
        sa.Column("parent_id", sa.Uuid),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("customer_id", sa.Text, nullable=False),
        sa.Column("reference", sa.Text),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("shipping_price", sa.BigInteger, nullable=False),
        sa.Column("shipping_tax", sa.BigInteger, nullable=False),
        sa.Column("shipping_tax_rate", sa.Text),
        sa.Column("ship_to", sa.JSON, nullable=False),
        sa.Column("payment_method", sa.Text, nullable=False),
        sa.Column("payment_provider", sa.Text),
        sa.Column("payment_reference", sa.Text),
        sa.Column("payment_captured", sa.BigInteger),
        sa.Column("payment_net_days", sa.Integer),
        sa.Column("payment_status", sa.Text, nullable=False),
        sa.Column("payment_version", sa.BigInteger, nullable=False),
        sa.Column("hold_id", sa.Uuid),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("attention", sa.Text),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("reservation_version", sa.BigInteger, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "channel IN ('web', 'mobile', 'wholesale')", name="orders_channel"
        ),
        sa.CheckConstraint(
            "policy IN ('all_or_nothing', 'allow_partial', 'allow_backorder')",
            name="orders_policy",
        ),
        sa.CheckConstraint(
            "status IN ('placed', 'confirmed', 'rejected', 'partially_shipped',"
            " 'shipped', 'cancelled')",
            name="orders_status",
        ),
        sa.CheckConstraint(
            "attention IN ('undecided', 'cancellation_open')", name="orders_attention"
        ),
        sa.CheckConstraint(
            "payment_status IN ('captured', 'refund_pending', 'partly_refunded',"
            " 'refunded', 'due', 'partly_paid', 'paid')",
            name="orders_payment_status",
        ),
        sa.CheckConstraint(
            "CASE payment_method"
            " WHEN 'prepaid' THEN payment_provider IS NOT NULL"
            " AND payment_reference IS NOT NULL AND payment_captured = total"
            " AND payment_net_days IS NULL"
            " WHEN 'terms' THEN channel = 'wholesale'"
            " AND payment_net_days IS NOT NULL AND payment_provider IS NULL"
            " AND payment_reference IS NULL AND payment_captured IS NULL"
            " ELSE false END",
            name="orders_payment",
        ),
        sa.CheckConstraint("total >= 0", name="orders_total"),
        sa.CheckConstraint(
            "(status = 'placed') = (decided_at IS NULL)", name="orders_decided"
        ),
    )
    op.create_index(
        "orders_payment_used",
        "orders",
        ["payment_provider", "payment_reference"],
        unique=True,
        postgresql_where=sa.text("payment_provider IS NOT NULL"),
    )


def _create_order_lines() -> None:
    op.create_table(
        "order_lines",
        sa.Column("order_id", sa.Uuid, nullable=False),
        sa.Column("line", sa.SmallInteger, nullable=False),
        sa.Column("sku", sa.Text, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("unit_price", sa.BigInteger, nullable=False),
        sa.Column("discount", sa.BigInteger, nullable=False),
        sa.Column("tax", sa.BigInteger, nullable=False),
        sa.Column("tax_rate", sa.Text),
        sa.Column("pending", sa.Integer, nullable=False),
        sa.Column("reserved", sa.Integer, nullable=False),
        sa.Column("backordered", sa.Integer, nullable=False),
        sa.Column("shipped", sa.Integer, nullable=False),
        sa.Column("cancelled", sa.Integer, nullable=False),
        sa.Column("returned", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("order_id", "line"),
        sa.CheckConstraint(
            "quantity BETWEEN 1 AND 100000", name="order_lines_quantity"
        ),
        sa.CheckConstraint(
            "pending >= 0 AND reserved >= 0 AND backordered >= 0"
            " AND shipped >= 0 AND cancelled >= 0"
            " AND pending + reserved + backordered + shipped + cancelled = quantity",
            name="order_lines_units",
        ),
        sa.CheckConstraint(
            "returned BETWEEN 0 AND shipped", name="order_lines_returned"
        ),
        sa.CheckConstraint(
            "unit_price >= 0 AND tax >= 0"
            " AND discount BETWEEN 0 AND quantity::numeric * unit_price",
            name="order_lines_amounts",
        ),
    )
