"""What moved goods are worth is said in their own currency."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("reservation_lines", sa.Column("cost_currency", sa.Text))
