"""What happens to reservations: cancellations, shipments, returns."""

import sqlalchemy as sa
from alembic import op

from chassis.migrations import make_append_only

revision = "0003"
down_revision = "0002"

APPEND_ONLY = (
    "cancellations",
    "cancellation_lines",
    "shipments",
    "shipment_lines",
    "return_receipts",
    "return_receipt_lines",
)


def upgrade() -> None:
    op.create_index(
        "reservations_state", "reservations", ["state", "placed_at", "order_id"]
    )
    _create_cancellations()
    _create_shipments()
    _create_return_receipts()
    for table in APPEND_ONLY:
        make_append_only(op, table)


def _order_id() -> sa.Column[sa.Uuid]:
    return sa.Column(
        "order_id", sa.Uuid, sa.ForeignKey("reservations.order_id"), nullable=False
    )


def _part_of(head: str, id: str) -> sa.Column[sa.Uuid]:
    return sa.Column(id, sa.Uuid, sa.ForeignKey(f"{head}.{id}"), nullable=False)


def _create_cancellations() -> None:
    op.create_table(
        "cancellations",
        sa.Column("cancellation_id", sa.Uuid, primary_key=True),
        _order_id(),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column(
            "answered_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("now()"),
        ),
        sa.UniqueConstraint("order_id", "number", name="cancellations_number"),
    )
    op.create_table(
        "cancellation_lines",
        _part_of("cancellations", "cancellation_id"),
        sa.Column("line", sa.Integer, nullable=False),
        sa.Column("asked", sa.BigInteger, nullable=False),
        sa.Column("released", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("cancellation_id", "line"),
        sa.CheckConstraint(
            "asked > 0 AND 0 <= released AND released <= asked",
            name="cancellation_lines_released",
        ),
    )


def _create_shipments() -> None:
    op.create_table(
        "shipments",
        sa.Column("shipment_id", sa.Uuid, primary_key=True),
        _order_id(),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("carrier", sa.Text),
        sa.Column("tracking", sa.Text),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("shipped_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("order_id", "number", name="shipments_number"),
        sa.CheckConstraint("number BETWEEN 1 AND 50", name="shipments_at_most"),
    )
    op.create_table(
        "shipment_lines",
        _part_of("shipments", "shipment_id"),
        sa.Column("line", sa.Integer, nullable=False),
        sa.Column("quantity", sa.BigInteger, nullable=False),
        sa.Column("cost", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("shipment_id", "line"),
        sa.CheckConstraint(
            "quantity > 0 AND cost >= 0", name="shipment_lines_quantity"
        ),
    )


def _create_return_receipts() -> None:
    op.create_table(
        "return_receipts",
        sa.Column("receipt_id", sa.Uuid, primary_key=True),
        _order_id(),
        sa.Column("return_id", sa.Uuid, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("location", sa.Text, sa.ForeignKey("locations.code"), nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("order_id", "number", name="return_receipts_number"),
        sa.CheckConstraint("number BETWEEN 1 AND 50", name="return_receipts_at_most"),
    )
    op.create_table(
        "return_receipt_lines",
        _part_of("return_receipts", "receipt_id"),
        sa.Column("line", sa.Integer, nullable=False),
        sa.Column("condition", sa.Text, nullable=False),
        sa.Column("quantity", sa.BigInteger, nullable=False),
        sa.Column("cost", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("receipt_id", "line", "condition"),
        sa.CheckConstraint(
            "quantity > 0 AND cost >= 0", name="return_receipt_lines_quantity"
        ),
        sa.CheckConstraint(
            "condition IN ('resellable', 'damaged')",
            name="return_receipt_lines_condition",
        ),
    )
