"""What was asked for with a key has been done once, however often it was asked."""

import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

from tests.chaos.history import Attempt
from tests.chaos.invariants.evidence import Evidence, Violation, rows

# Which POST makes rows of which table.
MAKES: Mapping[str, tuple[str, str]] = {
    r"/v1/inventory/receipts": ("inventory", "SELECT id FROM receipts"),
    r"/v1/inventory/holds": ("inventory", "SELECT id FROM holds"),
    r"/v1/inventory/shipments": ("inventory", "SELECT shipment_id FROM shipments"),
    r"/v1/inventory/return-receipts": (
        "inventory",
        "SELECT receipt_id FROM return_receipts",
    ),
    r"/v1/orders/[^/]+/cancellations": ("orders", "SELECT id FROM cancellations"),
    r"/v1/orders/[^/]+/returns": ("orders", "SELECT id FROM returns"),
    r"/v1/accounting/payments": ("accounting", "SELECT id FROM payments"),
}


async def each_key_has_one_effect(evidence: Evidence) -> AsyncIterator[Violation]:
    for path, (service, query) in MAKES.items():
        made = {str(row[0]) for row in await rows(evidence.databases[service], query)}
        asked = defaultdict(list)
        for attempt in evidence.attempts:
            if attempt.method == "POST" and re.fullmatch(path, attempt.path):
                asked[attempt.key].append(attempt)
        for violation in _compared(path, list(asked.values()), made):
            yield violation


def _compared(
    path: str, asked: Sequence[Sequence[Attempt]], made: set[str]
) -> Iterator[Violation]:
    told = [{a.told()["id"] for a in attempts if a.is_success} for attempts in asked]
    for ids in told:
        if len(ids) > 1:
            yield Violation("each_key_has_one_effect", f"{ids} for one key", path)
    known = set().union(*told)
    for id_ in known - made:
        yield Violation("acknowledged_exists", f"{id_} is not there", path)
    unknown = sum(not any(attempt.known for attempt in attempts) for attempts in asked)
    if len(made - known) > unknown:
        what = f"{len(made - known)} more than anybody was told of"
        yield Violation("each_key_has_one_effect", what, path)
