"""A document is in few indexes until it has its number: it is written again for that.

Lists have only what is numbered, and a span of days is found by the pages it is on.
The old indexes serve until the new ones are there. What an attempt that broke off has
left is made anew.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

NEW = "documents_new_index"
NUMBERED: dict[str, Any] = {"postgresql_where": sa.text("number IS NOT NULL")}


def upgrade() -> None:
    with op.get_context().autocommit_block():
        _make_beside(["customer_id", "id"], **NUMBERED)
        _put_in_place_of("documents_of_customer")
        brin = {"postgresql_using": "brin", "postgresql_with": {"autosummarize": "on"}}
        _make_beside(["issued_on"], **brin)
        _put_in_place_of("documents_in_order")
        _make_beside(["number"], unique=True, **NUMBERED)
        op.execute("ALTER TABLE documents DROP CONSTRAINT IF EXISTS documents_number")
        _put_in_place_of("documents_number")


def _make_beside(columns: list[str], **options: Any) -> None:
    op.drop_index(NEW, if_exists=True, postgresql_concurrently=True)
    op.create_index(NEW, "documents", columns, postgresql_concurrently=True, **options)


def _put_in_place_of(name: str) -> None:
    op.drop_index(name, if_exists=True, postgresql_concurrently=True)
    op.execute(f"ALTER INDEX {NEW} RENAME TO {name}")
