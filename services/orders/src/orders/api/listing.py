"""Lists of orders."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field

from chassis.bodies import text
from chassis.moments import Written
from chassis.pages import Page, Paged
from chassis.routing import HttpRouter
from chassis.shedding import LISTS_AT_ONCE, at_most
from chassis.web import reader_of, respond_page
from contracts.inventory import Sku
from contracts.orders import Channel
from orders.api.callers import Reader
from orders.api.views import OrderView
from orders.domain.orders import NUMBER_PREFIX, Status
from orders.store import listing as store
from orders.store.listing import Wanted

router = HttpRouter(prefix="/v1/orders", tags=["orders"])

# Far from where time zones would lead out of the calendar.
Placed = Written[
    Annotated[
        AwareDatetime,
        Field(ge=datetime(1970, 1, 1, tzinfo=UTC), le=datetime(9000, 1, 1, tzinfo=UTC)),
    ]
]
OrderNumber = Annotated[
    str, Field(pattern=rf"^[{''.join(NUMBER_PREFIX.values())}]-[0-9]{{1,18}}$")
]


class OrderFilter(BaseModel):
    status: Status | None = None
    channel: Channel | None = None
    customer_id: Annotated[str, text(64)] | None = None
    reference: Annotated[str, text(255)] | None = None
    number: OrderNumber | None = None
    attention: Annotated[
        bool | None, Field(description="whether somebody should look at it")
    ] = None
    sku: Annotated[Sku | None, Field(description="on any of the lines")] = None
    placed_from: Annotated[Placed | None, Field(description="then or later")] = None
    placed_to: Annotated[Placed | None, Field(description="before then")] = None


@router.get(
    "",
    response_model=Page[OrderView],
    dependencies=[at_most(LISTS_AT_ONCE)],
    summary="List orders, newest first",
)
async def list_orders(
    caller: Reader,
    window: Paged,
    wanted: Annotated[OrderFilter, Query()],
    request: Request,
) -> Response:
    customers = {caller.customer_id, wanted.customer_id} - {None}
    found = await reader_of(request).transact(
        store.find,
        window,
        Wanted(
            customers=tuple(map(str, customers)),
            **wanted.model_dump(exclude={"customer_id"}),
        ),
    )
    return respond_page(
        request,
        window,
        found,
        view=OrderView.model_validate,
        key=lambda order: (order.placed_at, order.id),
    )
