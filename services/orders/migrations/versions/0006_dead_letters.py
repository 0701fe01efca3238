"""Which orders have events among dead letters, whoever put them aside."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column(
        "orders",
        sa.Column("events_stuck", sa.Integer, nullable=False, server_default="0"),
    )
    op.create_table(
        "dead_letters",
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.Column("queue", sa.Text, nullable=False),
        sa.Column("order_id", sa.Uuid, nullable=False),
        sa.Column("event_type", sa.Text, nullable=False),
        sa.Column("waits", sa.Boolean, nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("event_id", "queue"),
    )
    op.create_index(
        "dead_letters_waiting",
        "dead_letters",
        ["order_id"],
        postgresql_where=sa.text("waits"),
    )
