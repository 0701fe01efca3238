"""What has to be looked at to be known: it is, once a minute.

Also while there is no use: it asks SQS, and wakes no database.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from chassis import metrics
from chassis.database import Database
from chassis.queues import Aws
from chassis.timers import Timer
from chassis.topology import Queue

EVERY_S = 60  # as often as metrics are sent


def timer(database: Database, aws: Aws, queues: Iterable[Queue]) -> Timer:
    queues = tuple(queues)

    async def work() -> bool:
        metrics.CONNECTIONS.set(database.most_in_use())
        for queue in queues:
            await _look(aws, queue)
        return True

    return Timer(name="gauges", every_s=EVERY_S, work=work, in_every_role=True)


async def _look(aws: Aws, queue: Queue) -> None:
    depth = await aws.depth(queue.name)
    dead = await aws.depth(queue.dead_letters)
    of_queue = {"queue": queue.name}
    metrics.QUEUE_DEPTH.set(depth, of_queue)
    metrics.QUEUE_DEAD_LETTERS.set(dead, of_queue)
    if not depth:
        metrics.QUEUE_OLDEST.set(0, of_queue)
    elif since := aws.waits_since(queue.name):
        waited = datetime.now(UTC) - since
        metrics.QUEUE_OLDEST.set(max(0, waited.total_seconds()), of_queue)
