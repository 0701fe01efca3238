"""Orders are found by their number, and those that somebody should look at.

Orders go on being placed meanwhile. What an attempt that broke off has left is no index
that anybody could use: it is made anew.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from chassis.migrations import beside_writes

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    index_beside_writes("orders_by_serial", ["serial"])
    index_beside_writes(
        "orders_with_attention",
        ["placed_at", "id"],
        postgresql_where=sa.text("attention IS NOT NULL OR events_stuck > 0"),
    )


def index_beside_writes(name: str, columns: list[str], **options: Any) -> None:
    with beside_writes(op):
        op.drop_index(name, if_exists=True, postgresql_concurrently=True)
        op.create_index(
            name, "orders", columns, postgresql_concurrently=True, **options
        )
