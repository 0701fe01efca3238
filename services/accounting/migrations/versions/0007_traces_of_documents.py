"""A document is announced when it has its number: in the trace of what it is for."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("documents", sa.Column("traceparent", sa.Text))
