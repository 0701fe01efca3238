"""What README.md tells a stranger to type, and what it says comes of it."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from orderly.stack.folder import CLONE
from orderly.stack.stack import Stack
from orders.api.bodies import EXAMPLE
from tests.flows.shop import JSON, Shop

pytestmark = pytest.mark.xdist_group("stack")  # there is one: one worker

README = (CLONE / "README.md").read_text()
FIRST_ORDER, BOOKS = (
    block
    for block in re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    if block.startswith("curl")
)
(ANSWER,) = re.findall(r"^```json\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
(TOKEN,) = re.findall(r"`(A=\".*?\")`", README)


def typed(stack: Stack, commands: str) -> Iterator[JSON]:
    """What the commands print when they are typed in the clone, on this stack."""
    done = subprocess.run(  # noqa: S603
        ["bash", "-ec", commands.replace("http://localhost:8080", stack.url)],  # noqa: S607
        env=os.environ
        | {"ORDERLY_FOLDER": str(stack.folder.path), "NO_PROXY": "localhost"},
        cwd=CLONE,
        check=True,
        capture_output=True,
        text=True,
    )
    decoder, printed = json.JSONDecoder(), done.stdout
    while printed:
        document, end = decoder.raw_decode(printed)
        yield document
        printed = printed[end:]


async def test_the_first_order_comes_out_as_it_is_shown(stack: Stack, shop: Shop):
    (order,) = typed(stack, FIRST_ORDER)

    shown = json.loads(ANSWER)
    assert order["status"] == shown["status"] == "confirmed"
    assert shape(order) == shape(shown)
    same = {
        "id",
        "lines",
        "shipping",
        "ship_to",
        "payment",
        "total",
        "customer_id",
        "policy",
    }
    assert {name: order[name] for name in same} == {name: shown[name] for name in same}

    await shop.invoices(order["id"])
    invoices, balance, stock = typed(stack, f"{TOKEN}\n{BOOKS}")
    assert order["id"] in [invoice["order_id"] for invoice in invoices["items"]]
    assert all(total["debit"] == total["credit"] for total in balance["totals"])
    assert [row["sku"] for row in stock["items"]] == ["SOAP-5L"]


def shape(document: Any) -> Any:
    """Which fields there are, whatever is in them."""
    match document:
        case dict():
            return {name: shape(value) for name, value in document.items()}
        case list():
            return [shape(value) for value in document]
        case _:
            return None


def test_the_first_order_is_the_example_of_the_documents():
    (body,) = re.findall(r"-d '(.*?)'$", FIRST_ORDER, re.MULTILINE | re.DOTALL)

    assert is_part_of(json.loads(body), EXAMPLE)


def is_part_of(some: Any, whole: Any) -> bool:
    match some:
        case dict():
            return all(is_part_of(some[name], whole[name]) for name in some)
        case list():
            return all(map(is_part_of, some, whole))
        case _:
            return bool(some == whole)
