"""What Accounting says of itself for the audit."""

from collections.abc import Collection

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Numeric,
    Uuid,
    case,
    cast,
    func,
    literal,
    select,
    union_all,
)

from accounting.domain.documents import RefundStatus, Series
from accounting.domain.ledger import Account
from accounting.domain.orders import Stage
from accounting.schema import (
    documents,
    entries,
    order_cursors,
    order_lines,
    orders,
    parked_facts,
    payment_allocations,
    payments,
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
# What a confirmed prepaid order has yet to get: its open units, without their share of
# the tax, and the shipping until the first of them leaves.
_is_deferred = _is_prepaid & (orders.c.stage == Stage.CONFIRMED.value)
_left = _line.shipped + _line.cancelled
_open = _line.quantity - _line.short - _left


def _discount_of(units: ColumnElement[int]) -> ColumnElement[int]:
    """Of the first units of a line, rounded half up."""
    twice = 2 * cast(_line.discount, Numeric) * units
    return cast(func.div(twice + _line.quantity, 2 * _line.quantity), BigInteger)


_undelivered = case(
    (
        _is_deferred & (_open > 0),
        _open * cast(_line.unit_price, BigInteger)
        - (_discount_of(_left + _open) - _discount_of(_left)),
    ),
    else_=0,
)
_of_order = _line.order_id == orders.c.id
_unsent = case(
    (
        _is_deferred
        & ~select(_line.line).where(_of_order, _line.shipped > 0).exists()
        & select(_line.line).where(_of_order, _open > 0).exists(),
        orders.c.shipping_price,
    ),
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


def _posted_by(
    rules: Collection[str], amount: ColumnElement[int]
) -> ColumnElement[int]:
    """What rules with a document posted against the customer: the document's total."""
    on = (Account.CUSTOMER_DEPOSITS, Account.REFUNDS_PAYABLE, Account.RECEIVABLES)
    return case(
        (
            entries.c.rule.in_(rules) & postings.c.account.in_([a.value for a in on]),
            amount,
        ),
        else_=0,
    )


_ACCOUNTS_OF_ORDERS = (
    Account.RECEIVABLES,
    Account.CUSTOMER_DEPOSITS,
    Account.DEFERRED_REVENUE,
    Account.REFUNDS_PAYABLE,
)
_sign = case((_is_invoice, 1), else_=-1)

# Ids begin with the moment they were made at.
_long_ago_ms = cast(func.extract("epoch", long_ago()) * 1000, BigInteger)
_made_long_ago = cast(
    func.rpad(func.lpad(func.to_hex(_long_ago_ms), 12, "0"), 32, "0"), Uuid
)

_items = union_all(
    select(
        postings.c.currency,
        (postings.c.debit - postings.c.credit).label("expected"),
        literal(0).label("actual"),
    ).where(postings.c.account == Account.RECEIVABLES.value),
    select(
        documents.c.currency,
        literal(0),
        _sign * (documents.c.total - documents.c.paid - documents.c.credited),
    ).where(documents.c.total > documents.c.paid + documents.c.credited),
    select(payments.c.currency, literal(0), -payments.c.unallocated),
).subquery()
_RECEIVABLES = (
    select(
        _items.c.currency.label("what"),
        cast(func.sum(_items.c.expected), BigInteger).label("expected"),
        cast(func.sum(_items.c.actual), BigInteger).label("actual"),
    )
    .group_by(_items.c.currency)
    .having(func.sum(_items.c.expected) != func.sum(_items.c.actual))
)

DIGEST = Digest(
    parts=(
        Part(
            order_id=orders.c.id,
            figures={
                "orders": literal(1),
                "total": orders.c.shipping_price + orders.c.shipping_tax,
                "undelivered": _unsent,
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
                "undelivered": _undelivered,
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
                "on_terms": _sign * documents.c.total,
                "paid": case((_is_invoice, documents.c.paid), else_=0),
                "lessened": case((_is_invoice, documents.c.credited), else_=0),
                "set_off": case((_is_invoice, 0), else_=documents.c.credited),
            },
            where=(orders.c.id == documents.c.order_id, ~_is_prepaid),
        ),
        Part(
            order_id=documents.c.order_id,
            figures={"allocated": payment_allocations.c.amount},
            where=(payment_allocations.c.document_id == documents.c.id,),
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
                "deferred": _owed(Account.DEFERRED_REVENUE),
                "receivable": -_owed(Account.RECEIVABLES),
                "invoiced_posted": _posted_by(
                    ("order_confirmed", "order_shipped"), postings.c.debit
                ),
                "credited_posted": _posted_by(
                    ("order_cancelled", "order_returned"), postings.c.credit
                ),
            },
            where=(
                postings.c.entry_id == entries.c.id,
                postings.c.account.in_([a.value for a in _ACCOUNTS_OF_ORDERS]),
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
            name="receivables",
            says="open invoices less credits make the balance of 1100 (expected)",
            offenders=_RECEIVABLES,
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
