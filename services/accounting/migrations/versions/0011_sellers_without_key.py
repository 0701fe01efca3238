"""No foreign key from documents to sellers, which cost a fifth of numbering.

Sellers are never changed nor deleted, and documents get theirs from there.
"""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.execute("ALTER TABLE documents DROP CONSTRAINT documents_seller")
