"""Orderly as its users see it: by its HTTP API, through the gateway."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

from chassis.testing import eventually
from orders.api.bodies import EXAMPLE

JSON = dict[str, Any]
SETTLES_WITHIN_S = 60


def an_order(*lines: tuple[str, int], **changes: Any) -> JSON:
    """A prepaid order of these SKUs and quantities, at 12.50 each with 19 % tax."""
    priced = [
        {"sku": sku, "quantity": quantity, "unit_price": 1250, "tax": quantity * 238}
        for sku, quantity in lines
    ]
    order: JSON = deepcopy(EXAMPLE)
    shipping = sum(order["shipping"].values())
    total = sum(quantity * (1250 + 238) for _, quantity in lines) + shipping
    order["payment"] |= {"reference": uuid4().hex, "captured": total}
    return order | {"lines": priced, "total": total} | changes


@dataclass(frozen=True)
class Shop:
    http: httpx.AsyncClient
    patience_s: float = SETTLES_WITHIN_S

    async def get(self, path: str, **params: Any) -> JSON:
        return await self._said("GET", path, params=params)

    async def everything(self, path: str, **params: Any) -> list[JSON]:
        """All pages of a list."""
        items: list[JSON] = []
        cursor: JSON = {}
        while True:
            page = await self.get(path, **params, **cursor, limit=200)
            items += page["items"]
            if page["next_cursor"] is None:
                return items
            cursor = {"cursor": page["next_cursor"]}

    async def stock_up(self, quantity: int, *, currency: str = "EUR") -> str:
        """A new product with so many units; its SKU."""
        sku = f"SKU-{uuid4().hex[:10].upper()}"
        product = {
            "name": "Descaler, 1 l",
            "unit_cost": 640,
            "currency": currency,
            "reorder_point": 0,
        }
        location = {"name": "Cork", "priority": 1}
        await self.put("/v1/inventory/locations/cork", location)
        await self.put(f"/v1/inventory/products/{sku}", product)
        if quantity:
            await self.receive(sku, quantity)
        return sku

    async def receive(self, sku: str, quantity: int, *, at: str = "cork") -> None:
        line = {"sku": sku, "quantity": quantity, "unit_cost": 640}
        receipt = {"location": at, "reference": "truck", "lines": [line]}
        await self.post("/v1/inventory/receipts", receipt)

    async def ship(self, order_id: str, lines: list[JSON] | None = None) -> JSON:
        """Ship these lines' units, or all that is reserved."""
        parcel = {"carrier": "An Post", "tracking": "CE1", "lines": lines}
        return await self.post(
            "/v1/inventory/shipments", {"order_id": order_id, **parcel}
        )

    async def cancel(self, order_id: str, lines: list[JSON] | None = None) -> JSON:
        """The cancellation, once it is answered."""
        asked = {"lines": lines, "reason": "changed my mind"}
        requested = await self.post(f"/v1/orders/{order_id}/cancellations", asked)
        path = f"/v1/orders/{order_id}/cancellations/{requested['id']}"
        return await self.until_it(path, lambda now: now["status"] != "requested")

    async def send_back(self, order_id: str, *lines: tuple[int, int, str]) -> JSON:
        """Have units returned and received; the return, once Orders knows of it."""
        units = [{"line": line, "quantity": quantity} for line, quantity, _ in lines]
        authorised = await self.post(
            f"/v1/orders/{order_id}/returns", {"lines": units, "reason": "too many"}
        )
        received = [
            {**part, "condition": line[2]}
            for part, line in zip(units, lines, strict=True)
        ]
        receipt = {"order_id": order_id, "return_id": authorised["id"]}
        receipt |= {"location": "cork", "lines": received}
        await self.post("/v1/inventory/return-receipts", receipt)
        path = f"/v1/orders/{order_id}/returns/{authorised['id']}"
        return await self.until_it(path, lambda now: now["status"] == "received")

    async def until_it(self, path: str, holds: Callable[[JSON], bool]) -> JSON:
        """What a path answers, once that is so."""
        found: JSON = {}

        async def check() -> bool:
            nonlocal found
            found = await self.get(path)
            return holds(found)

        await self.until(check)
        return found

    async def until_order(self, order_id: str, **fields: Any) -> JSON:
        """The order, once it has these."""
        return await self.until_it(
            f"/v1/orders/{order_id}",
            lambda order: all(order[name] == value for name, value in fields.items()),
        )

    async def post(self, path: str, body: JSON) -> JSON:
        return await self._said(
            "POST", path, json=body, headers={"Idempotency-Key": uuid4().hex}
        )

    async def put(self, path: str, body: JSON) -> None:
        await self._said("PUT", path, json=body)

    async def place(self, order: JSON, *, key: str, **headers: str) -> httpx.Response:
        return await self.ask(
            "POST",
            "/v1/orders",
            json=order,
            headers={"Idempotency-Key": key, **headers},
        )

    async def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Ask until there is an answer, with the same key, as a storefront does.

        Whoever was just killed is back soon.
        """
        while True:
            try:
                answer = await self.http.request(method, path, **request)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code < 500:
                return answer
            await asyncio.sleep(0.2)

    async def _said(self, method: str, path: str, **request: Any) -> JSON:
        answer = await self.ask(method, path, **request)
        assert answer.is_success, answer.text
        document: JSON = answer.json() if answer.content else {}
        return document

    async def decided(self, order_id: str) -> JSON:
        """The order once it is no longer merely placed."""
        order: JSON = {}

        async def is_decided() -> bool:
            nonlocal order
            try:
                answer = await self.http.get(
                    f"/v1/orders/{order_id}", headers={"Prefer": "wait=5"}
                )
            except httpx.TransportError:
                return False
            order = answer.json() if answer.status_code == 200 else {"status": "placed"}
            return order["status"] != "placed"

        await self.until(is_decided)
        return order

    async def until(self, check: Callable[[], Awaitable[bool]]) -> None:
        await eventually(check, within_s=self.patience_s, every_s=0.2)

    async def until_some(self, path: str, **params: Any) -> list[JSON]:
        """The list, once there is something in it."""
        found: list[JSON] = []

        async def is_some() -> bool:
            nonlocal found
            found = await self.everything(path, **params)
            return bool(found)

        await self.until(is_some)
        return found

    async def invoices(self, order_id: str) -> list[JSON]:
        return await self.until_some("/v1/accounting/invoices", order_id=order_id)

    async def stock(self, sku: str) -> tuple[int, int]:
        """Units on hand and reserved, over all locations."""
        rows = await self.everything("/v1/inventory/stock", sku=sku)
        return sum(r["on_hand"] for r in rows), sum(r["reserved"] for r in rows)

    async def balances(self, order_id: str) -> dict[str, int]:
        """What an order's entries come to, by account; what is settled is left out."""
        entries = await self.everything("/v1/accounting/entries", order_id=order_id)
        sums: Counter[str] = Counter()
        for posting in (p for entry in entries for p in entry["postings"]):
            sums[posting["account"]] += posting["debit"] - posting["credit"]
        return {account: amount for account, amount in sums.items() if amount}

    async def until_balances(self, order_id: str, expected: dict[str, int]) -> None:
        now: dict[str, int] = {}

        async def check() -> bool:
            nonlocal now
            now = await self.balances(order_id)
            return now == expected

        try:
            await self.until(check)
        except AssertionError:
            assert now == expected

    async def trial_balance(self) -> list[JSON]:
        balance = await self.get("/v1/accounting/reports/trial-balance")
        return list(balance["totals"])
