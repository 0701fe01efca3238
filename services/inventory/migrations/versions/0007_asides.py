"""Which events wait among the dead letters, until they are handled after all."""

from alembic import op

from chassis.migrations import create_chassis_tables_4

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    create_chassis_tables_4(op)
