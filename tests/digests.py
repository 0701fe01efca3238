"""A service's digest, read in a test's own transaction."""

from collections.abc import Mapping
from uuid import UUID

from chassis.database import Tx
from chassis.digest import Digest


async def figures(tx: Tx, digest: Digest, order_id: UUID) -> Mapping[str, int]:
    """What is not 0 of an order."""
    (found,) = await digest.get_orders(tx, [order_id])
    return {name: amount for name, amount in found.figures.items() if amount}


async def broken(tx: Tx, digest: Digest) -> dict[str, list[tuple[int, int]]]:
    """The checks that do not hold, with what was expected and what is."""
    found: dict[str, list[tuple[int, int]]] = {}
    for check in digest.checks:
        for row in await tx.execute(check.offenders):
            found.setdefault(check.name, []).append((row.expected, row.actual))
    return found
