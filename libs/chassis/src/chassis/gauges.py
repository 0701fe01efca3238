"""What has to be looked at to be known: it is, once a minute, while there is use."""

from collections.abc import Iterable

from chassis import metrics
from chassis.database import Database
from chassis.queues import Aws
from chassis.timers import Timer
from chassis.topology import Queue

EVERY_S = 60  # as often as metrics are sent


def timer(database: Database, aws: Aws, queues: Iterable[Queue]) -> Timer:
    async def work() -> bool:
        metrics.CONNECTIONS.set(database.most_in_use())
        for queue in queues:
            depth = await aws.depth(queue.name)
            metrics.QUEUE_DEPTH.set(depth, {"queue": queue.name})
            dead = await aws.depth(queue.dead_letters)
            metrics.QUEUE_DEAD_LETTERS.set(dead, {"queue": queue.name})
        return False

    return Timer(name="gauges", every_s=EVERY_S, work=work, in_every_role=True)
