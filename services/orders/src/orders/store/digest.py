"""What Orders says of itself for the audit."""

from sqlalchemy import BigInteger, Text, case, cast, func, literal, or_, select

from chassis.digest import Check, Digest, Part
from chassis.outbox import outbox
from contracts.orders import PaymentMethod
from orders.domain.orders import Status
from orders.schema import order_lines, orders

# The log's partitions go after some time; what is fresh is enough to notice a fault.
FRESH_HOURS = 24

# Two clocks are compared: the process's, and the database's.
_fresh = func.now() - func.make_interval(0, 0, 0, 0, FRESH_HOURS)
_a_bit_longer = func.now() - func.make_interval(0, 0, 0, 0, FRESH_HOURS + 1)

_placed = orders.c.status == Status.PLACED.value
_prepaid = orders.c.payment_method == PaymentMethod.PREPAID.value
_open = order_lines.c.pending + order_lines.c.reserved + order_lines.c.backordered

_units = (
    select(
        order_lines.c.order_id,
        func.sum(order_lines.c.pending).label("pending"),
        func.sum(_open).label("open"),
        func.sum(order_lines.c.shipped).label("shipped"),
    )
    .group_by(order_lines.c.order_id)
    .subquery()
)
_announced = (
    select(
        outbox.c.subject,
        func.count(outbox.c.sequence.distinct()).label("facts"),
    )
    .where(outbox.c.sequence.is_not(None), outbox.c.time > _a_bit_longer)
    .group_by(outbox.c.subject)
    .subquery()
)
_none_expected = (literal(0).label("expected"), literal(1).label("actual"))

DIGEST = Digest(
    parts=(
        Part(
            order_id=orders.c.id,
            figures={
                "orders": literal(1),
                "sequence": orders.c.sequence,
                "total": orders.c.total,
                # What a customer has paid is a deposit until the order is decided.
                "deposits": case((_placed & _prepaid, orders.c.total), else_=0),
            },
        ),
        Part(
            order_id=order_lines.c.order_id,
            figures={
                "requested": order_lines.c.quantity,
                "pending": order_lines.c.pending,
                "reserved": order_lines.c.reserved,
                "backordered": order_lines.c.backordered,
                "shipped": order_lines.c.shipped,
                "cancelled": order_lines.c.cancelled,
                "returned": order_lines.c.returned,
            },
        ),
    ),
    checks=(
        Check(
            name="status_follows_units",
            says="every order's status is what its units make it",
            offenders=select(
                orders.c.id.label("order_id"),
                orders.c.status.label("what"),
                *_none_expected,
            )
            .join(_units, _units.c.order_id == orders.c.id, isouter=True)
            .where(
                or_(
                    _units.c.order_id.is_(None),
                    orders.c.status
                    != case(
                        (
                            (orders.c.status == Status.REJECTED.value)
                            & (_units.c.open + _units.c.shipped == 0),
                            Status.REJECTED.value,
                        ),
                        (
                            _units.c.open + _units.c.shipped == 0,
                            Status.CANCELLED.value,
                        ),
                        (_units.c.pending > 0, Status.PLACED.value),
                        (_units.c.shipped == 0, Status.CONFIRMED.value),
                        (_units.c.open > 0, Status.PARTIALLY_SHIPPED.value),
                        else_=Status.SHIPPED.value,
                    ),
                )
            ),
        ),
        Check(
            name="facts_without_gaps",
            says="every fact of an order of the last day is in the event log",
            offenders=select(
                orders.c.id.label("order_id"),
                literal("facts").label("what"),
                orders.c.sequence.label("expected"),
                cast(func.coalesce(_announced.c.facts, 0), BigInteger).label("actual"),
            )
            .join(
                _announced,
                _announced.c.subject == cast(orders.c.id, Text),
                isouter=True,
            )
            .where(
                orders.c.placed_at > _fresh,
                orders.c.sequence != func.coalesce(_announced.c.facts, 0),
            ),
        ),
    ),
)
