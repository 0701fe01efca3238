"""What must be so after every fault, and what must be so in every moment between.

What a service can say of itself is said by its digest; what the three can say of each
other, by the audit. Here is what needs to look into the databases, or to know what the
clients were told.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from uuid import UUID

import psutil
from sqlalchemy import text

from chassis.database import Database, Tx
from chassis.digest import Check, Digest
from chassis.lifecycle import Service
from contracts.topology import TOPOLOGY
from orderly.audit import Report, audit
from orderly.operations import Operations
from orderly.stack.services import NAMES
from orders.domain.orders import order_id
from tests.chaos.history import JSON, Attempt
from tests.chaos.load import HOT
from tests.chaos.system import CLIENT, System

PLACE = ("POST", "/v1/orders")
BATCH = ("POST", "/v1/orders/batches")
LARGEST_RSS = 400 * 2**20
MOST_FILES = 400
SHOWN = 5

# Of an order's facts, by their names without service and version: what may follow what.
DECISIONS = {"order_confirmed", "order_rejected"}
AFTER_CONFIRMING = {"order_shipped", "order_cancelled", "order_returned"}


@dataclass(frozen=True)
class Violation:
    invariant: str
    what: str
    where: str


@dataclass(frozen=True)
class Evidence:
    """All that is known when everything is quiet again."""

    attempts: Sequence[Attempt]
    databases: Mapping[str, Database]
    system: System
    poison: set[str]
    hot: str = ""
    hot_units: int = 0


async def rows(database: Database, query: str, **values: Any) -> list[Any]:
    async def read(tx: Tx) -> list[Any]:
        return list((await tx.execute(text(query), values)).all())

    return await database.transact(read)


# --- in every moment -----------------------------------------------------------------

# What takes a while to become so is none of it.
ALWAYS = {
    "orders": {"status_follows_units", "facts_without_gaps"},
    "inventory": {
        "movements_make_on_hand",
        "movements_make_reserved",
        "orders_and_holds_make_reserved",
        "allocations_make_reserved",
        "allocations_make_shipped",
    },
    "accounting": {"trial_balance", "receivables"},
}
UNBALANCED = """
    SELECT entry_id, currency, sum(debit) AS debit, sum(credit) AS credit FROM postings
    GROUP BY entry_id, currency HAVING sum(debit) <> sum(credit)
"""


async def in_a_snapshot(name: str, database: Database) -> list[Violation]:
    """What one service's database says of itself in one committed moment."""
    service: Service[Any] = import_module(f"{name}.main").SERVICE
    digest: Digest = import_module(f"{name}.store.digest").DIGEST
    checks = [check for check in digest.checks if check.name in ALWAYS[service.name]]
    assert len(checks) == len(ALWAYS[name])
    return await database.transact(_examine, name, checks)


async def _examine(tx: Tx, name: str, checks: Sequence[Check]) -> list[Violation]:
    await tx.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    found = []
    for check in checks:
        offenders = (await tx.execute(check.offenders.limit(SHOWN))).all()
        found += [Violation(check.name, check.says, _shown(row)) for row in offenders]
    if name == "accounting":
        unbalanced = (await tx.execute(text(UNBALANCED))).all()
        found += [_v("entries_balance", row, "unequal sides") for row in unbalanced]
    return found


def _shown(row: Any) -> str:
    return ", ".join(f"{name}={value}" for name, value in row._asdict().items())


def _v(invariant: str, row: Any, what: str) -> Violation:
    return Violation(invariant, what, row if isinstance(row, str) else _shown(row))


# --- what clients were told ----------------------------------------------------------


def _asked_orders(attempts: Iterable[Attempt]) -> dict[str, list[Attempt]]:
    """The attempts to place an order, by their keys."""
    found = defaultdict(list)
    for attempt in attempts:
        if (attempt.method, attempt.path) == PLACE and attempt.key:
            found[attempt.key].append(attempt)
    return found


async def answers_tell_the_truth(evidence: Evidence) -> AsyncIterator[Violation]:
    """Each 2xx is one order as it was asked for; each key one id; no unfounded no."""
    stored = await _stored_orders(evidence)
    asked = _asked_orders(evidence.attempts)
    payments = _payments(asked)
    for key, attempts in asked.items():
        bodies = {attempt.asked for attempt in attempts}
        shared = any(len(payments[_payment(body)]) > 1 for body in bodies)
        for violation in _of_one_key(key, attempts, stored, shared=shared):
            yield violation


def _of_one_key(
    key: str, attempts: Sequence[Attempt], stored: Mapping[str, Any], *, shared: bool
) -> Iterator[Violation]:
    said_yes = [attempt for attempt in attempts if attempt.is_success]
    ids = {str(attempt.location).rpartition("/")[2] for attempt in said_yes}
    alone = len({attempt.asked for attempt in attempts}) == 1 and not shared
    if len(ids) > 1 and not shared:
        yield Violation("one_key_one_order", f"{len(ids)} orders: {ids}", f"key {key}")
    for id_ in ids:
        order = stored.get(id_)
        if order is None:
            if alone:
                yield Violation("acknowledged_exists", f"no order {id_}", f"key {key}")
        elif not any(_same(order, json.loads(a.asked)) for a in attempts) and alone:
            yield Violation(
                "as_it_was_asked_for", f"order {id_}: {order}", f"key {key}"
            )
    for attempt in attempts:
        if attempt.known and not attempt.is_success and alone:
            yield Violation(
                "no_unfounded_no",
                f"{attempt.status} {attempt.answer[:200]}",
                f"key {key} at {attempt.member}",
            )


def _payments(asked: Mapping[str, Sequence[Attempt]]) -> dict[str, set[str]]:
    """Which keys named a payment."""
    found = defaultdict(set)
    for key, attempts in asked.items():
        for attempt in attempts:
            found[_payment(attempt.asked)].add(key)
    found[""] = set()
    return found


def _payment(body: str) -> str:
    return str(json.loads(body)["payment"].get("reference", ""))


async def _stored_orders(evidence: Evidence) -> dict[str, JSON]:
    found = await rows(
        evidence.databases["orders"],
        "SELECT id, status, reference, total, customer_id, currency, policy,"
        " payment_reference, (SELECT json_agg(json_build_array(sku, quantity,"
        " unit_price, discount, tax) ORDER BY line) FROM order_lines"
        " WHERE order_id = id) AS lines FROM orders",
    )
    return {str(row.id): row._asdict() for row in found}


def _same(order: JSON, asked: JSON) -> bool:
    lines = [[line.get(name, 0) for name in _LINE] for line in asked["lines"]]
    fields = ("total", "customer_id", "currency", "policy")
    return (
        order["lines"] == lines
        and all(order[name] == asked.get(name, order[name]) for name in fields)
        and order["payment_reference"] == asked["payment"].get("reference")
    )


_LINE = ("sku", "quantity", "unit_price", "discount", "tax")


async def nothing_is_invented(evidence: Evidence) -> AsyncIterator[Violation]:
    """Every order has the id of a key that somebody sent."""
    keys = {attempt.key for attempt in evidence.attempts if attempt.key}
    for attempt in evidence.attempts:
        if (attempt.method, attempt.path) == BATCH:
            rows_ = [line for line in attempt.asked.splitlines() if line.strip()]
            keys |= {json.loads(line)["idempotency_key"] for line in rows_}
    possible = {str(order_id(CLIENT, key)) for key in keys}
    for id_ in (await _stored_orders(evidence)).keys() - possible:
        yield Violation("nothing_is_invented", "nobody asked for it", f"order {id_}")


async def a_payment_pays_one_order(evidence: Evidence) -> AsyncIterator[Violation]:
    for row in await rows(
        evidence.databases["orders"],
        "SELECT payment_reference, count(*) AS orders FROM orders"
        " WHERE payment_reference IS NOT NULL GROUP BY 1 HAVING count(*) > 1",
    ):
        yield _v("a_payment_pays_one_order", row, "it paid several")


async def reads_never_go_back(evidence: Evidence) -> AsyncIterator[Violation]:
    """Who has seen a version of an order is never shown an older one, nor a 404."""
    seen: defaultdict[str, list[tuple[float, float, int, str]]] = defaultdict(list)
    for attempt in evidence.attempts:
        match = re.fullmatch(r"/v1/orders/([0-9a-f-]{36})", attempt.path)
        if match and attempt.status in {200, 404}:
            version = attempt.told()["version"] if attempt.status == 200 else -1
            seen[match[1]].append(
                (attempt.began, attempt.ended, version, attempt.member)
            )
        elif (attempt.method, attempt.path) == PLACE and attempt.status in {200, 201}:
            told = attempt.told()
            seen[told["id"]].append(
                (attempt.began, attempt.ended, told["version"], attempt.member)
            )
    for id_, looks in seen.items():
        for began, _, version, member in looks:
            before = max((v for _, end, v, _ in looks if end <= began), default=-1)
            if version < before:
                yield Violation(
                    "reads_never_go_back",
                    f"version {version} after {before}",
                    f"order {id_} at {member}",
                )


async def the_last_unit_is_sold(evidence: Evidence) -> AsyncIterator[Violation]:
    """Of what many wanted, exactly what there is was sold."""
    orders = (await _stored_orders(evidence)).values()
    wanted = [o for o in orders if o["reference"] == HOT]
    sold = sum(order["status"] != "rejected" for order in wanted)
    expected = min(len(wanted), evidence.hot_units)
    if evidence.hot and sold != expected:
        what = f"{sold} of {expected} sold to {len(wanted)}"
        yield Violation("the_last_unit_is_sold", what, evidence.hot)


# --- what happened to orders ---------------------------------------------------------


async def histories_are_legal(evidence: Evidence) -> AsyncIterator[Violation]:
    """Facts are numbered without gap or contradiction, and follow what they may."""
    found = await rows(
        evidence.databases["orders"],
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


async def each_is_invoiced_once(evidence: Evidence) -> AsyncIterator[Violation]:
    """A confirmed prepaid order has one invoice; a complete one of just its total."""
    placed = await rows(
        evidence.databases["orders"],
        "SELECT id, total, status, bool_and(cancelled = 0) AS whole FROM orders"
        " JOIN order_lines ON order_id = id WHERE payment_method = 'prepaid'"
        " AND status NOT IN ('placed') GROUP BY id",
    )
    invoices = defaultdict(list)
    for row in await rows(
        evidence.databases["accounting"],
        "SELECT order_id, total FROM documents WHERE series LIKE 'INV%'",
    ):
        invoices[row.order_id].append(row.total)
    confirmed = {
        UUID(row.subject)
        for row in await rows(
            evidence.databases["orders"],
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
    evidence: Evidence,
) -> AsyncIterator[Violation]:
    found = await rows(
        evidence.databases["accounting"],
        "SELECT series, count(*) AS documents, count(DISTINCT number) AS numbers,"
        " max(right(number, 6)::int) AS last FROM documents GROUP BY series",
    )
    for row in found:
        if not row.documents == row.numbers == row.last:
            yield _v("numbered_without_gap", row, "a number is missing or doubled")


# --- messages ------------------------------------------------------------------------


async def events_are_heard_once(evidence: Evidence) -> AsyncIterator[Violation]:
    """What one has announced is in the inbox of each who handles it, and no more."""
    announced = {
        name: await rows(database, "SELECT id, type, position FROM outbox")
        for name, database in evidence.databases.items()
    }
    for listener, database in evidence.databases.items():
        service: Service[Any] = import_module(f"{listener}.main").SERVICE
        heard = {row.event_id for row in await rows(database, "TABLE inbox")}
        expected = {
            row.id: row
            for queue, router in service.hears.items()
            for name in NAMES
            if queue.hears == import_module(f"{name}.main").SERVICE.announces
            for row in announced[name]
            if row.type in router.types
        }
        for id_ in expected.keys() - heard:
            yield _v("events_are_heard", expected[id_], f"{listener} has not heard it")
        # Orders hears besides what it has told itself, of which there is no log.
        for id_ in heard - expected.keys() if listener != "orders" else ():
            yield Violation("events_are_announced", "nobody told it", f"event {id_}")


async def only_poison_is_put_aside(evidence: Evidence) -> AsyncIterator[Violation]:
    """What was meant to be put aside is, with its reason, and nothing else is."""
    aws = evidence.system.aws
    found: Counter[str] = Counter()
    for queue in TOPOLOGY.queues:
        while messages := await aws.receive(queue.dead_letters, wait_s=0):
            for message in messages:
                found[message.body] += 1
                if message.body not in evidence.poison:
                    reason = message.attributes.get("error", "")
                    yield Violation("only_poison_is_put_aside", reason, message.body)
    for body in evidence.poison - found.keys():
        yield Violation("poison_is_put_aside", "it is nowhere", body)


# --- what is left behind -------------------------------------------------------------


async def nothing_is_left_behind(evidence: Evidence) -> AsyncIterator[Violation]:
    """No lock, no open transaction, no more memory and files than there should be."""
    names = list(NAMES)
    left = await rows(
        evidence.databases["orders"],
        "SELECT application_name, state, xact_start FROM pg_stat_activity"
        " WHERE application_name = ANY(:names) AND state LIKE 'idle in transaction%'"
        " AND xact_start < now() - interval '5 seconds'",
        names=names,
    )
    left += await rows(
        evidence.databases["orders"],
        "SELECT a.application_name, l.locktype FROM pg_locks l"
        " JOIN pg_stat_activity a USING (pid)"
        " WHERE l.locktype = 'advisory' AND a.application_name = ANY(:names)",
        names=names,
    )
    left += await rows(
        evidence.databases["orders"], "SELECT gid FROM pg_prepared_xacts"
    )
    for row in left:
        yield _v("nothing_is_left_behind", row, "a lock or a transaction")
    for member in evidence.system.members.values():
        process = psutil.Process(member.process.pid)
        rss, files = process.memory_info().rss, process.num_fds()
        if rss > LARGEST_RSS or files > MOST_FILES:
            what = f"{rss >> 20} MiB, {files} files"
            yield Violation("bounded", what, member.name)


async def constraints_hold(evidence: Evidence) -> AsyncIterator[Violation]:
    for name, database in evidence.databases.items():
        for row in await rows(
            database, "SELECT conname FROM pg_constraint WHERE NOT convalidated"
        ):
            yield _v("constraints_hold", row, f"not validated in {name}")


# What is an error, and was meant to be.
MEANT = re.compile("Event put aside")


async def nothing_unforeseen_is_logged(evidence: Evidence) -> AsyncIterator[Violation]:
    for member in evidence.system.members.values():
        for line in member.process.log.read_text().splitlines():
            wrong = _unforeseen(line)
            if wrong:
                yield Violation("logged", wrong, member.name)


def _unforeseen(line: str) -> str:
    if not line.startswith("{"):
        return line if line.startswith("Traceback") else ""
    try:
        told = json.loads(line)
    except ValueError:
        return ""  # it was killed in the middle of the word
    is_error = told.get("level") in {"error", "critical"}
    return line[:500] if is_error and not MEANT.match(told.get("message", "")) else ""


# --- all of it -----------------------------------------------------------------------

AT_THE_END = (
    answers_tell_the_truth,
    nothing_is_invented,
    a_payment_pays_one_order,
    reads_never_go_back,
    the_last_unit_is_sold,
    histories_are_legal,
    each_is_invoiced_once,
    documents_are_numbered_without_gap,
    events_are_heard_once,
    only_poison_is_put_aside,
    nothing_is_left_behind,
    constraints_hold,
    nothing_unforeseen_is_logged,
)


async def violations(evidence: Evidence) -> list[Violation]:
    """All that does not hold, now that everything is quiet."""
    found = [v for check in AT_THE_END async for v in check(evidence)]
    for name, database in evidence.databases.items():
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
