"""Products and locations."""

from datetime import datetime
from typing import Annotated

from fastapi import Request, Response
from pydantic import BaseModel, Field, StringConstraints

from chassis.bodies import RequestBody, reads, text
from chassis.pages import Page, Paged
from chassis.routing import HttpRouter
from chassis.web import database_of, respond, respond_page
from contracts.inventory import Sku
from inventory.api.callers import Reader, Writer
from inventory.api.fields import MAX_UNITS, Code, Cost, example
from inventory.commands import products as commands
from inventory.domain.products import KnownProduct, Location, Product, ProductNotFound
from inventory.store import products as store

Currency = Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")]

router = HttpRouter(prefix="/v1/inventory")


class ProductBody(RequestBody):
    model_config = example(
        name="Soap, 5 l", unit_cost=700, currency="EUR", reorder_point=20
    )

    name: Annotated[str, text(200)]
    unit_cost: Cost
    currency: Currency
    reorder_point: Annotated[int, Field(ge=0, le=MAX_UNITS)] | None = None


class ProductView(BaseModel):
    model_config = example(
        sku="SOAP-5L",
        name="Soap, 5 l",
        unit_cost=700,
        currency="EUR",
        reorder_point=20,
        version=1,
        changed_at="2026-11-21T09:30:00Z",
    )

    sku: str
    name: str
    unit_cost: int
    currency: str
    reorder_point: int | None
    version: int
    changed_at: datetime

    @classmethod
    def of(cls, known: KnownProduct) -> "ProductView":
        product = known.product
        return cls(
            sku=product.sku,
            name=product.name,
            unit_cost=product.unit_cost,
            currency=product.currency,
            reorder_point=product.reorder_point,
            version=known.version,
            changed_at=known.changed_at,
        )


@router.put(
    "/products/{sku}",
    response_model=ProductView,
    responses={201: {"model": ProductView, "description": "It is new"}},
)
async def put_product(
    _: Writer,
    sku: Sku,
    body: Annotated[ProductBody, reads(ProductBody)],
    request: Request,
) -> Response:
    """Describe a product; 201 when it is new."""
    product = Product(sku=sku, **body.model_dump())
    known, new = await database_of(request).transact(commands.put_product, product)
    return respond(request, ProductView.of(known), status=201 if new else 200)


@router.get("/products/{sku}", response_model=ProductView)
async def get_product(_: Reader, sku: Sku, request: Request) -> Response:
    """Get a product."""
    known = await database_of(request).transact(store.get, sku)
    if known is None:
        raise ProductNotFound(f"There is no product {sku}.")
    return respond(request, ProductView.of(known))


@router.get("/products", response_model=Page[ProductView])
async def list_products(
    _: Reader,
    request: Request,
    window: Paged,
    q: Annotated[str, text(64)] | None = None,
) -> Response:
    """List products by SKU; `q` is looked for in SKU and name."""
    found = await database_of(request).transact(store.find, window, q)
    return respond_page(
        request,
        window,
        found,
        view=ProductView.of,
        key=lambda known: (known.product.sku,),
    )


class LocationBody(RequestBody):
    model_config = example(name="Cork", priority=1)

    name: Annotated[str, text(200)]
    priority: Annotated[
        int, Field(ge=0, le=MAX_UNITS, description="the lower, the sooner chosen")
    ] = 0


class LocationView(BaseModel):
    model_config = example(code="CORK", name="Cork", priority=1)

    code: str
    name: str
    priority: int


@router.put(
    "/locations/{code}",
    response_model=LocationView,
    responses={201: {"model": LocationView, "description": "It is new"}},
)
async def put_location(
    _: Writer,
    code: Code,
    body: Annotated[LocationBody, reads(LocationBody)],
    request: Request,
) -> Response:
    """Describe a location; 201 when it is new."""
    location = Location(code=code, **body.model_dump())
    new = await database_of(request).transact(commands.put_location, location)
    view = LocationView.model_validate(location)
    return respond(request, view, status=201 if new else 200)


@router.get("/locations", response_model=Page[LocationView])
async def list_locations(_: Reader, request: Request, window: Paged) -> Response:
    """List locations, the preferred ones first."""
    found = await database_of(request).transact(store.find_locations, window)
    return respond_page(
        request,
        window,
        found,
        view=LocationView.model_validate,
        key=lambda location: (location.priority, location.code),
    )
