"""What must be so after every fault, and what must be so in every moment between.

What a service can say of itself is said by its digest; what the three can say of each
other, by the audit. Here is what needs to look into the databases, or to know what the
clients were told.
"""

import json
from collections.abc import Iterator

from orderly.audit import Report, audit
from orderly.operations import Operations
from tests.chaos.invariants.effects import each_key_has_one_effect
from tests.chaos.invariants.evidence import Databases, Evidence, Violation
from tests.chaos.invariants.facts import (
    a_payment_pays_one_order,
    documents_are_numbered_without_gap,
    each_is_invoiced_once,
    histories_are_legal,
)
from tests.chaos.invariants.leftovers import (
    nothing_is_left_behind,
    nothing_unforeseen_is_logged,
)
from tests.chaos.invariants.messages import (
    events_are_heard_once,
    only_poison_is_put_aside,
)
from tests.chaos.invariants.moments import SHOWN, in_a_snapshot
from tests.chaos.invariants.told import (
    answers_tell_the_truth,
    nothing_is_invented,
    reads_never_go_back,
    the_last_unit_is_sold,
)

# What the databases alone tell.
KEPT = (
    a_payment_pays_one_order,
    histories_are_legal,
    each_is_invoiced_once,
    documents_are_numbered_without_gap,
    events_are_heard_once,
)
# What needs to know besides what clients, queues and processes say.
TOLD = (
    answers_tell_the_truth,
    nothing_is_invented,
    each_key_has_one_effect,
    reads_never_go_back,
    the_last_unit_is_sold,
    only_poison_is_put_aside,
    nothing_is_left_behind,
    nothing_unforeseen_is_logged,
)


async def violations(evidence: Evidence) -> list[Violation]:
    """All that does not hold, now that everything is quiet."""
    told = [v for check in TOLD async for v in check(evidence)]
    return told + await violations_in(evidence.databases)


async def violations_in(databases: Databases) -> list[Violation]:
    """What does not hold among the rows of the three."""
    found = [v for check in KEPT async for v in check(databases)]
    for name, database in databases.items():
        found += await in_a_snapshot(name, database)
    return found


async def disagreements(operations: Operations, patience_s: float) -> list[Violation]:
    """What the audit finds, which sees what the three say of each other."""
    return list(_audited(await audit(operations, patience_s=patience_s)))


def _audited(report: Report) -> Iterator[Violation]:
    for outcome in report.outcomes:
        for one in outcome.disagreements:
            compared = outcome.comparison
            what = f"{compared.left} {one.left}, {compared.right} {one.right}"
            yield Violation(f"audit: {compared.what}", what, f"order {one.order_id}")
    for broken in report.broken:
        check = broken.check
        where = json.dumps(check["offenders"][:SHOWN])
        yield Violation(f"audit: {check['name']}", check["detail"], where)
