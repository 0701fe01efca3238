"""What Accounting says of itself for the audit."""

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Uuid,
    case,
    cast,
    func,
    literal,
    select,
)

from accounting.domain.documents import RefundStatus, Series
from accounting.domain.ledger import Account
from accounting.schema import (
    documents,
    entries,
    order_cursors,
    order_lines,
    orders,
    parked_facts,
    postings,
    refunds,
)
from chassis.digest import Check, Digest, Part, long_ago
from contracts.orders import PaymentMethod

_line = order_lines.c
_ordered = _line.quantity * cast(_line.unit_price, BigInteger)
_is_prepaid = orders.c.payment_method == PaymentMethod.PREPAID.value
# A free order's decision moves no money: it leaves neither an entry nor a figure.
_confirmed = (
    select(entries.c.id)
    .where(entries.c.order_id == orders.c.id, entries.c.rule == "order_confirmed")
    .exists()
)
_to_invoice = case(
    (~_is_prepaid, _line.shipped),
    (_confirmed, _line.quantity - _line.short),
    else_=0,
)
_to_credit = case((_is_prepaid, _line.cancelled + _line.returned), else_=_line.returned)

_is_invoice = documents.c.series == Series.INVOICE.value
_written = func.json_array_elements(documents.c.lines).table_valued(
    "value", joins_implicitly=True
)
_written_line = func.json_extract_path_text(_written.c.value, "line")
_written_units = cast(
    func.json_extract_path_text(_written.c.value, "quantity"), BigInteger
)


def _owed(account: Account) -> ColumnElement[int]:
    """The balance of what is a liability: credits less debits."""
    return case(
        (postings.c.account == account.value, postings.c.credit - postings.c.debit),
        else_=0,
    )


# Ids begin with the moment they were made at.
_long_ago_ms = cast(func.extract("epoch", long_ago()) * 1000, BigInteger)
_made_long_ago = cast(
    func.rpad(func.lpad(func.to_hex(_long_ago_ms), 12, "0"), 32, "0"), Uuid
)

DIGEST = Digest(
    parts=(
        Part(
            order_id=orders.c.id,
            figures={
                "orders": literal(1),
                "total": orders.c.shipping_price + orders.c.shipping_tax,
            },
        ),
        Part(
            order_id=order_cursors.c.order_id,
            figures={"sequence": order_cursors.c.applied},
        ),
        Part(
            order_id=_line.order_id,
            figures={
                "total": _ordered - _line.discount + _line.tax,
                "requested": _line.quantity,
                "short": _line.short,
                "shipped": _line.shipped,
                "returned": _line.returned,
                # As Orders counts: whatever will not be delivered.
                "cancelled": _line.short + _line.cancelled,
                "to_invoice": _to_invoice,
                "to_credit": _to_credit,
            },
            where=(orders.c.id == _line.order_id,),
        ),
        Part(
            order_id=documents.c.order_id,
            figures={
                "invoiced": case((_is_invoice, documents.c.total), else_=0),
                "credited": case((_is_invoice, 0), else_=documents.c.total),
            },
        ),
        Part(
            order_id=documents.c.order_id,
            figures={
                "invoiced_units": case((_is_invoice, _written_units), else_=0),
                "credited_units": case((_is_invoice, 0), else_=_written_units),
            },
            where=(
                orders.c.id == documents.c.order_id,
                _written_line.is_not(None),
                ~(_is_invoice & _is_prepaid & (documents.c.total == 0)),
            ),
        ),
        Part(
            order_id=entries.c.order_id,
            figures={
                "deposits": _owed(Account.CUSTOMER_DEPOSITS),
                "refunds_owed": _owed(Account.REFUNDS_PAYABLE),
            },
            where=(
                postings.c.entry_id == entries.c.id,
                postings.c.account.in_(
                    [Account.CUSTOMER_DEPOSITS.value, Account.REFUNDS_PAYABLE.value]
                ),
            ),
        ),
        Part(
            order_id=refunds.c.order_id,
            figures={"refunds_open": refunds.c.amount},
            where=(refunds.c.status != RefundStatus.SETTLED.value,),
        ),
    ),
    checks=(
        Check(
            name="trial_balance",
            says="debits (expected) and credits are equal in every currency",
            offenders=select(
                postings.c.currency.label("what"),
                cast(func.sum(postings.c.debit), BigInteger).label("expected"),
                cast(func.sum(postings.c.credit), BigInteger).label("actual"),
            )
            .group_by(postings.c.currency)
            .having(func.sum(postings.c.debit) != func.sum(postings.c.credit)),
        ),
        Check(
            name="no_fact_parked",
            says="no fact waits for an earlier one for more than a minute",
            offenders=select(
                parked_facts.c.order_id,
                parked_facts.c.type.label("what"),
                (order_cursors.c.applied + 1).label("expected"),
                parked_facts.c.sequence.label("actual"),
            ).where(
                parked_facts.c.parked_at < long_ago(),
                order_cursors.c.order_id == parked_facts.c.order_id,
            ),
        ),
        Check(
            name="documents_numbered",
            says="no document waits for its number for more than a minute",
            offenders=select(
                documents.c.order_id,
                documents.c.series.label("what"),
                literal(0).label("expected"),
                literal(1).label("actual"),
            ).where(documents.c.number.is_(None), documents.c.id < _made_long_ago),
        ),
    ),
)
