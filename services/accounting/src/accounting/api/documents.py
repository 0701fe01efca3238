"""Invoices and credit notes, as JSON and as PDF."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, NamedTuple, Self
from uuid import UUID

from fastapi import Depends, Path, Query, Request, Response
from msgspec.structs import asdict
from pydantic import BaseModel, ConfigDict

from accounting.api.callers import Reader
from accounting.api.formats import JSON, PDF, VARIES, accepted, as_well
from accounting.api.pdf import Printer
from accounting.domain.documents import Series
from accounting.store import documents
from accounting.store.documents import Issued
from chassis.auth import Caller
from chassis.errors import NotFound
from chassis.pages import Page, Paged, Window
from chassis.routing import HttpRouter
from chassis.web import database_of, etag, is_known, respond, respond_page

router = HttpRouter(prefix="/v1/accounting", tags=["documents"])


class InvoiceNotFound(NotFound):
    code = "invoice_not_found"


class CreditNoteNotFound(NotFound):
    code = "credit_note_not_found"


_NOT_FOUND = {
    Series.INVOICE: InvoiceNotFound,
    Series.CREDIT_NOTE: CreditNoteNotFound,
}
_NAMES = {Series.INVOICE: "invoice", Series.CREDIT_NOTE: "credit note"}


class DocumentLineView(BaseModel):
    """Units of an order line, or the shipping, which has neither line nor SKU."""

    model_config = ConfigDict(from_attributes=True)

    line: int | None
    sku: str | None
    description: str
    quantity: int
    unit_price: int
    discount: int
    tax_rate: str | None
    net: int
    tax: int


class TaxView(BaseModel):
    """The tax of one rate, and what it is raised on; null: no rate was given."""

    model_config = ConfigDict(from_attributes=True)

    rate: str | None
    net: int
    tax: int


class DocumentView(BaseModel):
    """What is due of an invoice is its `total` less what is `paid` and `credited`.

    `credited` is what credit notes took off an invoice, or a credit note off invoices
    of its order; a note `corrects` these invoices.
    """

    number: str
    order_id: UUID
    customer_id: str
    currency: str
    issued_on: date
    due_on: date
    lines: list[DocumentLineView]
    taxes: list[TaxView]
    net: int
    tax: int
    total: int
    paid: int
    credited: int
    corrects: list[str]

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "number": "INV-2026-000123",
                    "order_id": "5f0c5b0e-6d0a-5c55-9c39-3f6d6cf0a0a1",
                    "customer_id": "c-42",
                    "currency": "EUR",
                    "issued_on": "2026-03-01",
                    "due_on": "2026-03-01",
                    "lines": [
                        {
                            "line": 1,
                            "sku": "SOAP-5L",
                            "description": "SOAP-5L",
                            "quantity": 2,
                            "unit_price": 1250,
                            "discount": 0,
                            "tax_rate": "19.00",
                            "net": 2500,
                            "tax": 475,
                        },
                        {
                            "line": None,
                            "sku": None,
                            "description": "Shipping",
                            "quantity": 1,
                            "unit_price": 490,
                            "discount": 0,
                            "tax_rate": "19.00",
                            "net": 490,
                            "tax": 93,
                        },
                    ],
                    "taxes": [{"rate": "19.00", "net": 2990, "tax": 568}],
                    "net": 2990,
                    "tax": 568,
                    "total": 3558,
                    "paid": 3558,
                    "credited": 0,
                    "corrects": [],
                }
            ]
        }
    )

    @classmethod
    def of(cls, issued: Issued) -> Self:
        return cls.model_validate({**asdict(issued.document), **asdict(issued)})


class Sought(NamedTuple):
    """Whose documents are asked for; a customer's own token asks for its own alone."""

    order_id: UUID | None
    customers: Sequence[str]


def _sought(
    caller: Reader,
    order_id: UUID | None = None,
    customer_id: Annotated[str | None, Query(max_length=255)] = None,
) -> Sought:
    customers = [c for c in (caller.customer_id, customer_id) if c is not None]
    return Sought(order_id, customers)


Asked = Annotated[Sought, Depends(_sought)]
Number = Annotated[str, Path(max_length=40)]


@router.get("/invoices", response_model=Page[DocumentView])
async def list_invoices(asked: Asked, request: Request, window: Paged) -> Response:
    """List invoices, the newest first."""
    return await _list(request, window, Series.INVOICE, asked)


@router.get("/invoices/{number}", response_model=DocumentView, responses=as_well(PDF))
async def get_invoice(caller: Reader, request: Request, number: Number) -> Response:
    """Get an invoice by its number, as JSON or as PDF."""
    return await _show(request, caller, Series.INVOICE, number)


@router.get("/credit-notes", response_model=Page[DocumentView])
async def list_credit_notes(asked: Asked, request: Request, window: Paged) -> Response:
    """List credit notes, the newest first."""
    return await _list(request, window, Series.CREDIT_NOTE, asked)


@router.get(
    "/credit-notes/{number}", response_model=DocumentView, responses=as_well(PDF)
)
async def get_credit_note(caller: Reader, request: Request, number: Number) -> Response:
    """Get a credit note by its number, as JSON or as PDF."""
    return await _show(request, caller, Series.CREDIT_NOTE, number)


async def _list(
    request: Request, window: Window, series: Series, asked: Sought
) -> Response:
    found = await database_of(request).transact(
        documents.find,
        series,
        window,
        order_id=asked.order_id,
        customers=asked.customers,
    )
    return respond_page(
        request,
        window,
        found,
        view=DocumentView.of,
        key=lambda issued: (issued.id,),
    )


async def _show(
    request: Request, caller: Caller, series: Series, number: str
) -> Response:
    media = accepted(request, JSON, PDF)
    issued = await database_of(request).transact(documents.get, series, number)
    if issued is None or caller.customer_id not in {None, issued.document.customer_id}:
        raise _NOT_FOUND[series](f"There is no {_NAMES[series]} {number}.")
    if media == PDF:
        return await _print(request, issued)
    return respond(request, DocumentView.of(issued), headers=VARIES)


async def _print(request: Request, issued: Issued) -> Response:
    document = await database_of(request).transact(documents.get_printable, issued)
    printer: Printer = request.app.state.printer
    content = printer.content(document)
    headers = {"ETag": etag(content), **VARIES}
    if is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    pdf = await printer.print(content)
    headers["Content-Disposition"] = f'inline; filename="{issued.number}.pdf"'
    return Response(pdf, headers=headers, media_type=PDF)
