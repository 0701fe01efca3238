"""Something to sell: products and stock, put in as anybody would, through the API."""

import httpx

from orderly.errors import StackError

LOCATION = "dublin"
PRODUCTS = (
    # sku, name, unit cost in cents, how many
    ("SOAP-5L", "Castile soap, 5 l", 640, 500),
    ("WIPES-200", "Disinfectant wipes, 200", 910, 200),
    ("BRUSH-DECK", "Deck brush", 380, 1000),
    ("SCRUBBER-PRO", "Floor scrubber", 42000, 25),
)


async def stock_up(url: str, token: str) -> None:
    """Put the products there. Doing it again changes nothing."""
    try:
        await _stock_up(url, token)
    except httpx.TransportError as error:
        raise StackError(f"{url} does not answer ({error!r}).") from error


async def _stock_up(url: str, token: str) -> None:
    receipt = {
        "location": LOCATION,
        "lines": [
            {"sku": sku, "quantity": quantity, "unit_cost": cost}
            for sku, _, cost, quantity in PRODUCTS
        ],
        "reference": "demo",
    }
    async with httpx.AsyncClient(
        base_url=f"{url}/v1/inventory",
        headers={"Authorization": f"Bearer {token}"},
        trust_env=False,
        timeout=20,
    ) as inventory:
        _check(
            await inventory.put(
                f"locations/{LOCATION}", json={"name": "Dublin", "priority": 1}
            )
        )
        for sku, name, cost, _ in PRODUCTS:
            product = {
                "name": name,
                "unit_cost": cost,
                "currency": "EUR",
                "reorder_point": 10,
            }
            _check(await inventory.put(f"products/{sku}", json=product))
        _check(
            await inventory.post(
                "receipts", json=receipt, headers={"Idempotency-Key": "demo-receipt"}
            )
        )


def _check(answer: httpx.Response) -> None:
    if not answer.is_success:
        raise StackError(
            f"{answer.request.method} {answer.request.url.path} answered"
            f" {answer.status_code}: {answer.text}"
        )
