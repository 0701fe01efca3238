"""What operators ask to be announced again."""

from alembic import op

from chassis.migrations import create_chassis_tables_3

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    create_chassis_tables_3(op)
