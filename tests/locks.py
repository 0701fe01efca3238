"""Whether somebody waits for a lock, so that two at once are no matter of luck."""

from sqlalchemy import text

from chassis.database import Database
from chassis.testing import eventually

_WAITING = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


async def until_somebody_waits(database: Database) -> None:
    async def does_somebody() -> bool:
        async with database.begin() as tx:
            return bool((await tx.execute(_WAITING)).scalar_one())

    await eventually(does_somebody)
