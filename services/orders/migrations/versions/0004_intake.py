"""What intake keeps besides orders: refusals, and batches with their rows."""

import sqlalchemy as sa
from alembic import op

from chassis.migrations import make_append_only

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    _create_refusals()
    _create_batches()
    _create_batch_rows()


def _create_refusals() -> None:
    op.create_table(
        "refusals",
        sa.Column("order_id", sa.Uuid, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("placed_as", sa.Uuid),
        sa.Column(
            "refused_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
        ),
        sa.PrimaryKeyConstraint("order_id", "fingerprint"),
    )
    make_append_only(op, "refusals")


def _create_batches() -> None:
    op.create_table(
        "batch_uploads",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column(
            "begun_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
        ),
    )
    op.create_table(
        "batches",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("upload_id", sa.Uuid, nullable=False),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("customer_id", sa.Text),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("placed", sa.Integer, nullable=False),
        sa.Column("replayed", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status IN ('running', 'completed')", name="batches_status"),
        sa.CheckConstraint(
            "placed >= 0 AND replayed >= 0 AND failed >= 0"
            " AND placed + replayed + failed <= rows"
            " AND (status = 'completed') = (placed + replayed + failed = rows)",
            name="batches_rows",
        ),
    )
    op.create_index(
        "batches_running",
        "batches",
        ["created_at"],
        postgresql_where=sa.text("status = 'running'"),
    )


def _create_batch_rows() -> None:
    op.create_table(
        "batch_rows",
        sa.Column("upload_id", sa.Uuid, nullable=False),
        sa.Column("row", sa.Integer, nullable=False),
        sa.Column("idempotency_key", sa.Text),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("asked", sa.JSON),
        sa.Column("order_id", sa.Uuid),
        sa.Column("problem", sa.JSON),
        sa.PrimaryKeyConstraint("upload_id", "row"),
        sa.CheckConstraint(
            "status IN ('waiting', 'placed', 'replayed', 'failed')",
            name="batch_rows_status",
        ),
        sa.CheckConstraint(
            "(status = 'waiting') = (asked IS NOT NULL)", name="batch_rows_asked"
        ),
        sa.CheckConstraint(
            "(status = 'failed') = (problem IS NOT NULL)", name="batch_rows_problem"
        ),
    )
