"""Where the relay notes what SNS will never take."""

from alembic import op

from chassis.migrations import create_chassis_tables_2

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    create_chassis_tables_2(op)
