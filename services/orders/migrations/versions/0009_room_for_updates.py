"""Leave room beside rows that are written again soon: their indexes stay as they are.

Lines are written once more when their order is decided, an order then and when it is
invoiced. Pages that are there already are left as they are.
"""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute("ALTER TABLE orders SET (fillfactor = 60)")
    op.execute("ALTER TABLE order_lines SET (fillfactor = 50)")
