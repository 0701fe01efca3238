"""A document is in its customer's index when it has its number, as it is in lists.

The old index serves until the new one is there. What an attempt that broke off has left
is no index that anybody could use: it is made anew.
"""

import sqlalchemy as sa
from alembic import op

from chassis.migrations import beside_writes

revision = "0010"
down_revision = "0009"

NEW = "documents_by_customer"


def upgrade() -> None:
    with beside_writes(op):
        op.drop_index(NEW, if_exists=True, postgresql_concurrently=True)
        op.create_index(
            NEW,
            "documents",
            ["customer_id", "id"],
            postgresql_where=sa.text("number IS NOT NULL"),
            postgresql_concurrently=True,
        )
        op.drop_index(
            "documents_of_customer", if_exists=True, postgresql_concurrently=True
        )
