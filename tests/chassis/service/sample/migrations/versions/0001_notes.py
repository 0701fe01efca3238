"""Notes."""

import sqlalchemy as sa
from alembic import op

from chassis.migrations import create_chassis_tables_1

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_chassis_tables_1(op)
    op.create_table(
        "notes",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_table("heard", sa.Column("note_id", sa.Uuid, nullable=False))
