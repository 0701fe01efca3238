"""Units that leave and come back, refused facts, gaps, gateway events, payments."""

import sqlalchemy as sa
from alembic import op

from chassis.migrations import make_append_only

revision = "0003"
down_revision = "0002"

SUMS = ("invoiced", "credited", "paid", "to_refund", "refunded")

# Until now a second fact was always the decision, and nothing followed it.
TELL_WHAT_WAS = """
UPDATE orders SET
    stage = CASE
        WHEN cursor.applied < 2 THEN 'placed'
        WHEN (SELECT bool_and(short = quantity) FROM order_lines
              WHERE order_id = orders.id) THEN 'rejected'
        ELSE 'confirmed' END,
    invoiced = (SELECT coalesce(sum(total), 0) FROM documents
                WHERE order_id = orders.id),
    paid = (SELECT coalesce(sum(debit), 0) FROM entries
            JOIN postings ON entry_id = entries.id AND account = '1000'
            WHERE order_id = orders.id AND rule = 'order_placed'),
    to_refund = (SELECT coalesce(sum(amount), 0) FROM refunds
                 WHERE order_id = orders.id)
FROM order_cursors AS cursor WHERE cursor.order_id = orders.id
"""


def upgrade() -> None:
    _orders()
    _facts()
    _money()


def _orders() -> None:
    op.add_column(
        "orders",
        sa.Column("stage", sa.Text, nullable=False, server_default="placed"),
    )
    for name in SUMS:
        op.add_column(
            "orders",
            sa.Column(name, sa.BigInteger, nullable=False, server_default="0"),
        )
    op.execute(TELL_WHAT_WAS)
    op.add_column(
        "order_lines",
        sa.Column("shipped_runs", sa.JSON, nullable=False, server_default="[]"),
    )
    op.add_column(
        "documents",
        sa.Column("credited", sa.BigInteger, nullable=False, server_default="0"),
    )
    op.create_check_constraint(
        "documents_settled",
        "documents",
        "least(paid, credited) >= 0 AND paid + credited <= total",
    )


def _facts() -> None:
    op.add_column("parked_facts", sa.Column("traceparent", sa.Text))
    op.add_column("parked_facts", sa.Column("refused", sa.Text))
    op.add_column("parked_facts", sa.Column("put_aside_at", sa.DateTime(timezone=True)))
    op.create_table(
        "gaps",
        sa.Column("order_id", sa.Uuid, primary_key=True),
        sa.Column("from_sequence", sa.BigInteger, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked", sa.Integer, nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
    )


def _money() -> None:
    op.add_column("refunds", sa.Column("settled_at", sa.DateTime(timezone=True)))
    op.add_column("refunds", sa.Column("failure", sa.Text))
    op.create_table(
        "gateway_events",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column(
            "received_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("now()"),
        ),
    )
    op.create_table(
        "payments",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("customer_id", sa.Text, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("received_on", sa.Date, nullable=False),
        sa.Column("unallocated", sa.BigInteger, nullable=False),
        sa.CheckConstraint(
            "amount > 0 AND unallocated BETWEEN 0 AND amount", name="payments_amount"
        ),
    )
    op.create_index("payments_of_customer", "payments", ["customer_id", "id"])
    op.create_table(
        "payment_allocations",
        sa.Column("payment_id", sa.Uuid, nullable=False),
        sa.Column("document_id", sa.Uuid, nullable=False),
        sa.Column("place", sa.SmallInteger, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("payment_id", "document_id"),
        sa.CheckConstraint("amount >= 0", name="payment_allocations_amount"),
    )
    for table in ("gateway_events", "payments", "payment_allocations"):
        make_append_only(op, table)
