"""Documents as PDF: what is on them, and the press that sets them."""

import asyncio
import json
import sys
from collections.abc import Sequence
from datetime import date
from typing import Any

import structlog

from accounting.domain.currencies import as_written
from accounting.domain.documents import Document, Series
from accounting.domain.shares import Item
from accounting.settings import Seller
from accounting.store.documents import Printable
from chassis.errors import Unavailable
from chassis.shedding import AtMost

log = structlog.get_logger(__name__)

AT_ONCE = 2
WAITING = 16
WITHIN_S = 30
_NOTHING = "\N{EN DASH}"
_TITLES = {Series.INVOICE: "Invoice", Series.CREDIT_NOTE: "Credit note"}


class NotPrinted(Unavailable):
    """The press took too long, or failed, which the log says more of."""

    code = "not_printed"


class Printer:
    """Has documents printed: a few at once, and not many waiting.

    `seller` is on those that were issued when it was not kept with them yet.
    """

    def __init__(self, seller: Seller) -> None:
        self._seller = seller
        self._presses = asyncio.Semaphore(AT_ONCE)
        self._gate = AtMost(WAITING)

    def content(self, document: Printable) -> bytes:
        """What will be on it: the same content makes the same PDF."""
        kept = document.seller
        seller = self._seller if kept is None else Seller.model_validate(kept)
        return json.dumps(_content(document, seller)).encode()

    async def print(self, content: bytes) -> bytes:
        with self._gate.entered():
            async with self._presses:
                return await _press(content)


async def _press(content: bytes) -> bytes:
    pipe = asyncio.subprocess.PIPE
    press = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "accounting.press"),
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
    )
    try:
        async with asyncio.timeout(WITHIN_S):
            pdf, complaint = await press.communicate(content)
    except TimeoutError:
        raise NotPrinted("The document takes too long to print.") from None
    finally:
        # Also when whoever asked is gone: nothing is printed for nobody.
        if press.returncode is None:
            press.kill()
            await press.wait()
    if press.returncode:
        # The kind of failure alone: what it quotes may be a customer's.
        log.error("Press failed", lines=len(complaint.splitlines()))
        raise NotPrinted("The document cannot be printed.")
    return pdf


def _content(it: Printable, seller: Seller) -> dict[str, Any]:
    document = it.issued.document
    return {
        "title": f"{_TITLES[document.series]} {it.issued.number}",
        "issued_on": document.issued_on.isoformat(),
        "currency": document.currency,
        "seller": {
            "name": seller.name,
            "address": [*seller.address, f"Tax ID {seller.tax_id}", *seller.contact],
            "imprint": _imprint(seller),
        },
        "buyer": list(filter(None, _address(it))),
        "facts": _facts(it),
        "lines": [_line(n, line, it) for n, line in enumerate(document.lines, 1)],
        "sums": _sums(document),
        "totals": [["Total", _with_currency(document.total, document)]],
        "settled": _settled(it),
        "notes": list(filter(None, _notes(it, seller))),
    }


def _imprint(seller: Seller) -> str:
    return " · ".join((seller.name, *seller.address, f"Tax ID {seller.tax_id}"))


def _address(it: Printable) -> Sequence[str]:
    to = it.ship_to
    place = f"{to['postal_code']} {to['city']}"
    region = to.get("region") or ""
    lines = (to["name"], to["line1"], to.get("line2") or "")
    return (*lines, place, region, to["country"])


def _facts(it: Printable) -> list[tuple[str, str]]:
    document = it.issued.document
    facts = [("Number", it.issued.number), ("Issued on", _day(document.issued_on))]
    if document.series is Series.INVOICE:
        facts.append(("Due on", _day(document.due_on)))
    else:
        facts += [("Corrects", number) for number in it.issued.corrects]
    facts += [("Order", it.order_number), ("Ordered on", _day(it.placed_on))]
    return [*facts, ("Customer", document.customer_id)]


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _line(number: int, line: Item, it: Printable) -> list[str]:
    currency = it.issued.document.currency
    return [
        str(number),
        line.description,
        f"{line.quantity:,}",
        as_written(line.unit_price, currency),
        as_written(line.discount, currency) if line.discount else _NOTHING,
        f"{line.tax_rate} %" if line.tax_rate else _NOTHING,
        as_written(line.net, currency),
    ]


def _sums(document: Document) -> list[list[str]]:
    net = [["Net", _with_currency(document.net, document)]]
    return net + [
        [
            (
                f"Tax {f'{tax.rate} % ' if tax.rate else ''}on"
                f" {as_written(tax.net, document.currency)}"
            ),
            _with_currency(tax.tax, document),
        ]
        for tax in document.taxes
    ]


def _settled(it: Printable) -> list[list[str]]:
    document = it.issued.document
    if document.series is not Series.INVOICE:
        return []
    settled = {"Paid": document.paid, "Credited": it.issued.credited, "Due": _due(it)}
    return [
        [name, _with_currency(amount, document)]
        for name, amount in settled.items()
        if amount or name != "Credited"
    ]


def _due(it: Printable) -> int:
    return it.issued.document.total - it.issued.document.paid - it.issued.credited


def _with_currency(amount: int, document: Document) -> str:
    return f"{document.currency} {as_written(amount, document.currency)}"


def _notes(it: Printable, seller: Seller) -> Sequence[str]:
    document = it.issued.document
    if document.series is not Series.INVOICE:
        return ("The amount is given back, or set against what is due.",)
    if not _due(it):
        return ("Settled with thanks. Nothing is due.",)
    due = _with_currency(_due(it), document)
    asked = f"Please pay {due} by {_day(document.due_on)}, quoting {it.issued.number}."
    return (asked, seller.payment_details or "")
