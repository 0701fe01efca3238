"""Invoices, as JSON."""

from datetime import date
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from accounting.api.callers import Reader
from accounting.domain.documents import Series
from accounting.store import documents
from accounting.store.documents import Issued
from chassis.errors import NotFound
from chassis.pages import Page, Paged
from chassis.web import database_of, respond, respond_page

router = APIRouter(prefix="/v1/accounting", tags=["documents"])


class InvoiceNotFound(NotFound):
    code = "invoice_not_found"


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
                }
            ]
        }
    )

    @classmethod
    def of(cls, issued: Issued) -> Self:
        return cls.model_validate({"number": issued.number, **vars(issued.document)})


@router.get("/invoices", response_model=Page[DocumentView])
async def list_invoices(
    caller: Reader,
    request: Request,
    window: Paged,
    order_id: UUID | None = None,
    customer_id: Annotated[str | None, Query(max_length=255)] = None,
) -> Response:
    """List invoices, the newest first."""
    found = await database_of(request).transact(
        documents.find,
        Series.INVOICE,
        window,
        order_id=order_id,
        customers=[c for c in (caller.customer_id, customer_id) if c is not None],
    )
    return respond_page(
        request,
        window,
        found,
        view=DocumentView.of,
        key=lambda issued: (issued.id,),
    )


@router.get("/invoices/{number}", response_model=DocumentView)
async def get_invoice(
    caller: Reader, request: Request, number: Annotated[str, Path(max_length=40)]
) -> Response:
    """Get an invoice by its number."""
    issued = await database_of(request).transact(documents.get, Series.INVOICE, number)
    if issued is None or caller.customer_id not in {None, issued.document.customer_id}:
        raise InvoiceNotFound(f"There is no invoice {number}.")
    return respond(request, DocumentView.of(issued))
