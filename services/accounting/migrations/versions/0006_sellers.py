"""Who sold is kept with each document: what was issued stays what it was."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from chassis.migrations import make_append_only

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "sellers",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("details", JSONB, nullable=False),
    )
    make_append_only(op, "sellers")
    op.add_column("documents", sa.Column("seller_id", sa.BigInteger))
    op.create_foreign_key(
        "documents_seller", "documents", "sellers", ["seller_id"], ["id"]
    )
