"""What is asked for: the same order everywhere, of three lines, paid at once."""

import json
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import uuid4

if TYPE_CHECKING:
    from bench.load import Load

Asking: TypeAlias = Callable[[int], bytes]

CUSTOMERS = 1000
LINES = 3
PRICE, TAX, SHIPPING = 1250, 238, 490
TOTAL = LINES * (PRICE + TAX) + SHIPPING


def sku(number: int) -> str:
    return f"BENCH-{number:05}"


def an_order(skus: list[str], reference: str, customer: str) -> dict[str, Any]:
    return {
        "channel": "web",
        "customer_id": customer,
        "reference": f"cart-{reference}",
        "currency": "EUR",
        "policy": "all_or_nothing",
        "lines": [
            {"sku": one, "quantity": 1, "unit_price": PRICE, "discount": 0, "tax": TAX}
            for one in skus
        ],
        "shipping": {"price": SHIPPING, "tax": 0},
        "ship_to": {
            "name": "Ada Byron",
            "line1": "1 Quay St",
            "city": "Cork",
            "postal_code": "T12",
            "country": "IE",
        },
        "payment": {
            "method": "prepaid",
            "provider": "acme-pay",
            "reference": reference,
            "captured": TOTAL,
        },
        "total": TOTAL,
    }


class Orders:
    """Orders of three SKUs out of many, or of the one that everybody wants."""

    def __init__(self, skus: int, seed: str = "") -> None:
        self._run = seed or uuid4().hex[:12]
        self._choice = random.Random(self._run)
        self._skus = [sku(number) for number in range(skus)]

    def __call__(self, number: int) -> dict[str, Any]:
        distinct = min(LINES, len(self._skus))
        # One SKU: three lines of it are still three lines.
        chosen = self._choice.sample(self._skus, distinct) * (LINES // distinct)
        customer = f"c-{self._choice.randrange(CUSTOMERS)}"
        return an_order(chosen, f"{self._run}-{number}", customer)


def asking(load: "Load") -> Asking:
    """Requests by their number, to be asked for in their order."""
    common = f"Host: localhost\r\nAuthorization: Bearer {load.token}\r\n"
    if load.what == "place":
        return _placing(load, common)
    if load.what == "wait":
        return _placing(load, common + "Prefer: wait=10\r\n")
    if load.what == "stock":
        return lambda number: _product(number, common)
    paths = {
        "get": [f"/v1/orders/{order_id}" for order_id in load.ids],
        "list": [f"/v1/orders?customer_id=c-{n}&limit=20" for n in range(CUSTOMERS)],
    }[load.what]
    asked = [f"GET {path} HTTP/1.1\r\n{common}\r\n".encode() for path in paths]
    return lambda number: asked[number * 7919 % len(asked)]


def _placing(load: "Load", common: str) -> Asking:
    orders = Orders(load.skus, load.seed)

    def ask(number: int) -> bytes:
        order = orders(number)
        key = f"Idempotency-Key: {order['payment']['reference']}\r\n"
        return _carrying("POST /v1/orders", order, common + key)

    return ask


def _product(number: int, common: str) -> bytes:
    product = {"name": "Bench soap", "unit_cost": 640, "currency": "EUR"}
    path = f"PUT /v1/inventory/products/{sku(number)}"
    return _carrying(path, {**product, "reorder_point": 0}, common)


def _carrying(what: str, content: dict[str, Any], headers: str) -> bytes:
    body = json.dumps(content, separators=(",", ":"))
    head = (
        f"{what} HTTP/1.1\r\n{headers}Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return (head + body).encode()
