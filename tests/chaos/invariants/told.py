"""What clients were told is so, and goes on being so."""

import json
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import Any

from orders.domain.orders import order_id
from tests.chaos.history import JSON, Attempt
from tests.chaos.invariants.evidence import Evidence, Violation, stored_orders
from tests.chaos.load import HOT
from tests.chaos.system import CLIENT

PLACE = ("POST", "/v1/orders")
BATCH = ("POST", "/v1/orders/batches")


def _asked_orders(attempts: Iterable[Attempt]) -> dict[str, list[Attempt]]:
    """The attempts to place an order, by their keys."""
    found = defaultdict(list)
    for attempt in attempts:
        if (attempt.method, attempt.path) == PLACE and attempt.key:
            found[attempt.key].append(attempt)
    return found


async def answers_tell_the_truth(evidence: Evidence) -> AsyncIterator[Violation]:
    """Each 2xx is one order as it was asked for; each key one id; no unfounded no."""
    stored = await stored_orders(evidence)
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
    for id_ in (await stored_orders(evidence)).keys() - possible:
        yield Violation("nothing_is_invented", "nobody asked for it", f"order {id_}")


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
    orders = (await stored_orders(evidence)).values()
    wanted = [o for o in orders if o["reference"] == HOT]
    sold = sum(order["status"] != "rejected" for order in wanted)
    expected = min(len(wanted), evidence.hot_units)
    if evidence.hot and sold != expected:
        what = f"{sold} of {expected} sold to {len(wanted)}"
        yield Violation("the_last_unit_is_sold", what, evidence.hot)
