"""What has happened to orders, and what it came to in documents."""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from tests.chaos.invariants.evidence import Databases, Violation, rows, violated

# Of an order's facts, by their names without service and version: what may follow what.
DECISIONS = {"order_confirmed", "order_rejected"}
AFTER_CONFIRMING = {"order_shipped", "order_cancelled", "order_returned"}


async def histories_are_legal(databases: Databases) -> AsyncIterator[Violation]:
    """Facts are numbered without gap or contradiction, and follow what they may."""
    found = await rows(
        databases["orders"],
        "SELECT subject, sequence, array_agg(DISTINCT type) AS types FROM outbox"
        " WHERE sequence IS NOT NULL GROUP BY subject, sequence"
        " ORDER BY subject, sequence",
    )
    of_order = defaultdict(list)
    for row in found:
        of_order[row.subject].append((row.sequence, row.types))
    for subject, facts in of_order.items():
        where = f"order {subject}"
        if [sequence for sequence, _ in facts] != list(range(1, len(facts) + 1)):
            yield Violation("histories_are_legal", f"a gap: {facts}", where)
        names = [_fact(types) for _, types in facts]
        if problem := _illegal(names):
            yield Violation("histories_are_legal", f"{problem}: {names}", where)


def _fact(types: Sequence[str]) -> str:
    return "|".join(type_.split(".")[1] for type_ in types)


def _illegal(names: Sequence[str]) -> str:
    decided = [name for name in names if name in DECISIONS]
    if any("|" in name for name in names):
        return "two facts in one place"
    if names[0] != "order_placed" or names.count("order_placed") > 1:
        return "not placed first, and once"
    if len(decided) > 1:
        return "decided twice"
    for place, name in enumerate(names):
        if name in AFTER_CONFIRMING and "order_confirmed" not in names[:place]:
            return f"{name} before it was confirmed"
    if "order_returned" in names:
        before = names[: names.index("order_returned")]
        return "" if "order_shipped" in before else "returned before it was shipped"
    return ""


async def a_payment_pays_one_order(databases: Databases) -> AsyncIterator[Violation]:
    for row in await rows(
        databases["orders"],
        "SELECT payment_reference, count(*) AS orders FROM orders"
        " WHERE payment_reference IS NOT NULL GROUP BY 1 HAVING count(*) > 1",
    ):
        yield violated("a_payment_pays_one_order", row, "it paid several")


async def each_is_invoiced_once(databases: Databases) -> AsyncIterator[Violation]:
    """A confirmed prepaid order has one invoice; a complete one of just its total."""
    placed = await rows(
        databases["orders"],
        "SELECT id, total, status, bool_and(cancelled = 0) AS whole FROM orders"
        " JOIN order_lines ON order_id = id WHERE payment_method = 'prepaid'"
        " AND status NOT IN ('placed') GROUP BY id",
    )
    invoices = defaultdict(list)
    for row in await rows(
        databases["accounting"],
        "SELECT order_id, total FROM documents WHERE series LIKE 'INV%'",
    ):
        invoices[row.order_id].append(row.total)
    confirmed = {
        UUID(row.subject)
        for row in await rows(
            databases["orders"],
            "SELECT subject FROM outbox WHERE type LIKE '%order_confirmed%'",
        )
    }
    for order in placed:
        found = invoices.get(order.id, [])
        wanted = int(order.id in confirmed)
        wrong = len(found) != wanted or (
            order.whole and wanted and found != [order.total]
        )
        if wrong:
            what = f"{found} for {wanted} of {order.total}"
            yield Violation("each_is_invoiced_once", what, f"order {order.id}")


async def documents_are_numbered_without_gap(
    databases: Databases,
) -> AsyncIterator[Violation]:
    found = await rows(
        databases["accounting"],
        "SELECT series, count(*) AS documents, count(DISTINCT number) AS numbers,"
        " max(right(number, 6)::int) AS last FROM documents GROUP BY series",
    )
    for row in found:
        if not row.documents == row.numbers == row.last:
            yield violated(
                "numbered_without_gap", row, "a number is missing or doubled"
            )
