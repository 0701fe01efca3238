from datetime import UTC, datetime, timedelta

from chassis.timers import Due


def is_in_an_hour(due: Due) -> bool:
    assert isinstance(due, datetime)
    return abs(due - timedelta(hours=1) - datetime.now(UTC)) < timedelta(minutes=1)
