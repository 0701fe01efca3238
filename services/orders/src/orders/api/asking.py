"""From what is sent to the order that is asked for, on every path the same."""

from datetime import UTC, datetime

from chassis.auth import Caller
from chassis.idempotency import fingerprint
from contracts.orders import PaymentMethod
from orders.api.bodies import OrderBody, PrepaidBody, TermsBody
from orders.api.callers import check_may_place
from orders.domain import orders as domain
from orders.domain.lines import Line
from orders.domain.orders import Order


def asked_order(caller: Caller, body: OrderBody, key: str) -> Order:
    """The order, if this caller may place it and it adds up."""
    check_may_place(caller, body)
    return domain.place(_order(body, caller.client, key))


def _order(body: OrderBody, client: str, key: str) -> Order:
    now = datetime.now(UTC)
    return Order(
        id=domain.order_id(client, key),
        client=client,
        fingerprint=fingerprint(body),
        channel=body.channel,
        customer_id=body.customer_id,
        reference=body.reference,
        currency=body.currency,
        policy=body.policy or domain.DEFAULT_POLICY[body.channel],
        lines=tuple(
            Line(line=number, pending=line.quantity, **vars(line))
            for number, line in enumerate(body.lines, start=1)
        ),
        shipping=domain.Shipping(**vars(body.shipping)),
        ship_to=domain.Address(**vars(body.ship_to)),
        payment=_payment(body.payment),
        hold_id=body.hold_id,
        parent_id=body.parent_id,
        total=body.total,
        placed_at=now,
        updated_at=now,
    )


def _payment(body: PrepaidBody | TermsBody) -> domain.Payment:
    method = PaymentMethod(body.method)
    return domain.Payment(
        **vars(body) | {"method": method},
        status=domain.INITIAL_PAYMENT_STATUS[method],
    )
