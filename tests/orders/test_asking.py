import json
from collections.abc import Iterator
from typing import Any

import pytest

from chassis.auth import Caller
from orders.api.asking import asked_order
from orders.api.bodies import EXAMPLE, OrderBody
from orders.domain.orders import Order
from tests.orders.factories import a_body

CALLER = Caller(
    client_id="shop",
    customer_id=None,
    scopes=frozenset({"channel.web", "channel.mobile", "channel.wholesale"}),
    expires_at=0,
)
# Its amounts add up, as those of the first.
OTHER = {
    "channel": "mobile",
    "customer_id": "c-43",
    "reference": "cart-10f",
    "currency": "USD",
    "policy": "allow_partial",
    "hold_id": "1b4e28ba-2fa1-51d2-883f-0016d3cca427",
    "parent_id": "1b4e28ba-2fa1-51d2-883f-0016d3cca427",
    "ship_to": {"line1": "2 Quay St"},
    "payment": {"reference": "pay_78"},
    "shipping": {"tax_rate": "19.00"},
}


def asked(body: dict[str, Any], key: str = "k") -> Order:
    return asked_order(CALLER, OrderBody.model_validate_json(json.dumps(body)), key)


def variants(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, other in OTHER.items():
        changed = body[name] | other if isinstance(other, dict) else other
        yield body | {name: changed}
    for net_days in (14, 30):
        terms = {"method": "terms", "net_days": net_days}
        yield body | {"channel": "wholesale", "payment": terms}
    first, *rest = body["lines"]
    for changes in ({"sku": "RUM-1L"}, {"tax_rate": "19.00"}):
        yield body | {"lines": [first | changes, *rest]}
    yield (
        body
        | {"lines": [first | {"unit_price": first["unit_price"] + 1}, *rest]}
        | {
            "total": body["total"] + first["quantity"],
            "payment": body["payment"]
            | {"captured": body["total"] + first["quantity"]},
        }
    )


def test_whatever_is_asked_for_tells_one_order_from_another():
    body = a_body()
    orders = [asked(body), *map(asked, variants(body))]

    assert len({order.fingerprint for order in orders}) == len(orders)


@pytest.mark.parametrize("said", [{"hold_id": None}, {"parent_id": None}])
def test_what_goes_without_saying_makes_no_other_order(said):
    body = {name: sent for name, sent in a_body().items() if name not in said}

    assert asked(body | said).fingerprint == asked(body).fingerprint


def test_neither_the_key_nor_the_time_makes_another_order():
    body = a_body()
    one, other = asked(body, "one"), asked(body, "other")

    assert one.placed_at != other.placed_at
    assert one.id != other.id
    assert one.fingerprint == other.fingerprint


def test_a_retry_finds_its_order_also_after_this_service_has_changed():
    terms = {"channel": "wholesale", "payment": {"method": "terms", "net_days": 30}}

    prints = [asked(body).fingerprint.hex() for body in (EXAMPLE, EXAMPLE | terms)]

    assert prints == [  # never to be changed
        "98f7d63decf9f56acd133f16e7f356b07a444345f94381ae499d38153dd6e93b",
        "a044ac52cf4e6ffb00e25af0e89836ee3e3e5895c73807ba7f1ebc49b8a0df78",
    ]
