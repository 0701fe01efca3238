"""Adjustments, holds, who waits in the order of the line, and when stock runs low."""

import sqlalchemy as sa
from alembic import op

from chassis.migrations import make_append_only

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column(
        "products",
        sa.Column("low", sa.Boolean, nullable=False, server_default="false"),
    )
    _create_adjustments()
    _put_who_waits_in_line()
    _create_holds()


def _create_adjustments() -> None:
    op.create_table(
        "adjustments",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("location", sa.Text, sa.ForeignKey("locations.code"), nullable=False),
        sa.Column("sku", sa.Text, sa.ForeignKey("products.sku"), nullable=False),
        sa.Column("delta", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("standard_cost", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("adjusted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("delta <> 0", name="adjustments_delta"),
    )
    make_append_only(op, "adjustments")


def _put_who_waits_in_line() -> None:
    op.add_column(
        "reservation_lines", sa.Column("placed_at", sa.DateTime(timezone=True))
    )
    op.execute(
        """
        UPDATE reservation_lines SET placed_at = reservations.placed_at
        FROM reservations WHERE backordered > 0
        AND reservations.order_id = reservation_lines.order_id
        """
    )
    op.drop_index("reservation_lines_backordered")
    op.create_index(
        "reservation_lines_waiting",
        "reservation_lines",
        ["sku", "placed_at", "order_id", "line"],
        postgresql_where=sa.text("backordered > 0"),
    )
    op.create_index(
        "reservation_lines_kept",
        "reservation_lines",
        ["sku"],
        postgresql_where=sa.text("reserved > 0"),
    )


def _create_holds() -> None:
    op.create_table(
        "holds",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("customer_id", sa.Text),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False, server_default="held"),
        sa.Column("order_id", sa.Uuid),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "held_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("now()"),
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint(
            "status IN ('held', 'consumed', 'released', 'expired')",
            name="holds_status",
        ),
        sa.CheckConstraint(
            "(status = 'consumed') = (order_id IS NOT NULL)", name="holds_consumed"
        ),
        sa.CheckConstraint(
            "(status = 'held') = (ended_at IS NULL)", name="holds_ended"
        ),
    )
    op.create_index(
        "holds_due",
        "holds",
        ["expires_at", "id"],
        postgresql_where=sa.text("status = 'held'"),
    )
    op.create_table(
        "hold_lines",
        sa.Column("hold_id", sa.Uuid, sa.ForeignKey("holds.id"), nullable=False),
        sa.Column("line", sa.Integer, nullable=False),
        sa.Column("sku", sa.Text, sa.ForeignKey("products.sku"), nullable=False),
        sa.Column("quantity", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("hold_id", "line"),
        sa.CheckConstraint("quantity > 0", name="hold_lines_quantity"),
    )
    op.create_table(
        "hold_allocations",
        sa.Column("hold_id", sa.Uuid, sa.ForeignKey("holds.id"), nullable=False),
        sa.Column("sku", sa.Text, nullable=False),
        sa.Column("location", sa.Text, nullable=False),
        sa.Column("reserved", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("hold_id", "sku", "location"),
        sa.CheckConstraint("reserved > 0", name="hold_allocations_reserved"),
    )
