"""Orders are found by their number, and those that somebody should look at."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_index("orders_by_serial", "orders", ["serial"])
    op.create_index(
        "orders_with_attention",
        "orders",
        ["placed_at", "id"],
        postgresql_where=sa.text("attention IS NOT NULL OR events_stuck > 0"),
    )
