"""The gateway reports what became of refunds, and what it paid out."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any
from uuid import UUID

from accounting.commands.announcing import refund_settled
from accounting.domain.bookkeeping import Books
from accounting.domain.documents import RefundStatus
from accounting.domain.money import Money
from accounting.domain.reports import Failed, PaidOut, Report, Settled
from accounting.domain.rules import GATEWAY_PAID_OUT, REFUND_SETTLED, Rule
from accounting.store import gateway, journal, orders, refunds
from accounting.store.refunds import Requested
from chassis import outbox
from chassis.database import Tx
from chassis.errors import Conflict, Fault, NotFound, Unprocessable


class RefundNotFound(NotFound):
    """Nothing is remembered: the gateway reports it again, and somebody sees it."""

    code = "refund_not_found"


class RefundDiffers(Unprocessable):
    """Another amount was refunded than was asked for."""

    code = "refund_differs"


class RefundIsSettled(Conflict):
    """The gateway takes back what it said: a matter for people, not for a posting."""

    code = "refund_is_settled"


class EventIdReused(Conflict):
    """The gateway said something else under this id."""

    code = "event_id_reused"


async def take_report(
    tx: Tx, report: Report, *, data: Mapping[str, Any], fingerprint: bytes
) -> bool:
    """Do what a report says, once; False if it was taken before."""
    added = await gateway.add(
        tx,
        id=report.id,
        type=report.type,
        occurred_at=report.occurred_at,
        data=data,
        fingerprint=fingerprint,
    )
    if not added:
        if await gateway.get_fingerprint(tx, report.id) != fingerprint:
            raise EventIdReused(f"Event {report.id} said something else before.")
        return False
    match report.what:
        case Settled() as settled:
            await _settle(tx, report, settled)
        case Failed() as failed:
            await _fail(tx, report, failed)
        case PaidOut(money=money):
            await _post(tx, report, GATEWAY_PAID_OUT, money)
    return True


async def _settle(tx: Tx, report: Report, settled: Settled) -> None:
    """Also a refund that had failed: that the money has arrived is the last word."""
    requested = await _held(tx, settled.refund_id)
    _check(requested, settled.money)
    if requested.status is RefundStatus.SETTLED:
        return  # told again, under another id
    order_id = requested.refund.order_id
    before = await orders.get(tx, [order_id])
    order = before[order_id].reckon(refunded=settled.money.amount)
    await orders.save(tx, before, [order])
    await refunds.settle(tx, requested.id, report.occurred_at)
    await _post(tx, report, REFUND_SETTLED, settled.money, order_id)
    await outbox.publish(tx, [refund_settled(requested, order, report.occurred_at)])


async def _fail(tx: Tx, report: Report, failed: Failed) -> None:
    """Nothing is posted: the refund is still owed, and somebody has to see to it."""
    requested = await _held(tx, failed.refund_id)
    if requested.settled_at is None:
        await refunds.fail(tx, requested.id, failed.reason)
    elif report.occurred_at > requested.settled_at:
        raise RefundIsSettled(
            f"Refund {requested.id} was reported settled on"
            f" {requested.settled_at.isoformat()}."
        )


async def _held(tx: Tx, id: UUID) -> Requested:
    """The refund, held until the transaction ends with its order."""
    found = await refunds.get(tx, id)
    if found is None:
        raise RefundNotFound(f"There is no refund {id}.")
    await orders.hold(tx, [found.refund.order_id])
    return await refunds.get(tx, id) or found


def _check(requested: Requested, money: Money) -> None:
    refund = requested.refund
    faults = []
    if money.amount != refund.amount:
        faults.append(Fault("/amount", f"{refund.amount} was to be refunded"))
    if money.currency != refund.currency:
        faults.append(Fault("/currency", f"the refund is in {refund.currency}"))
    if faults:
        raise RefundDiffers(
            f"Refund {requested.id} is of {refund.amount} {refund.currency},"
            f" not of {money.amount} {money.currency}.",
            faults=faults,
        )


async def _post(
    tx: Tx, report: Report, rule: Rule, money: Money, order_id: UUID | None = None
) -> None:
    books = Books()
    books.enter_moved(
        rule,
        [money],
        event_id=report.source_event_id,
        happened_on=report.occurred_at.astimezone(UTC).date(),
        order_id=order_id,
    )
    await journal.add(tx, books.entries)
