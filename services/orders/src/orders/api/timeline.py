"""An order's timeline: every fact that was announced of it."""

from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from fastapi import Request, Response
from pydantic import ConfigDict, Field

from chassis.auth import Caller
from chassis.pages import Page, Paged
from chassis.routing import HttpRouter
from chassis.shedding import LISTS_AT_ONCE, at_most
from chassis.web import database_of, reader_of, respond_page
from orders.api.callers import Reader
from orders.api.problems import problems
from orders.api.told import told_to
from orders.api.views import View
from orders.commands import check_may_see
from orders.domain.orders import OrderNotFound
from orders.store import timeline as store
from orders.store.timeline import Told

router = HttpRouter(prefix="/v1/orders/{order_id}/timeline", tags=["orders"])

_PATH = "/v1/orders/1b4e28ba-2fa1-51d2-883f-0016d3cca427/timeline"


class FactView(View):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "sequence": 2,
                    "type": "orders.order_confirmed.v1",
                    "occurred_at": "2026-11-21T09:30:01Z",
                    "data": {
                        "order_id": "1b4e28ba-2fa1-51d2-883f-0016d3cca427",
                        "lines": [{"line": 1, "confirmed": 2, "short": 0}],
                        "decided_at": "2026-11-21T09:30:01Z",
                    },
                    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
                }
            ]
        }
    )

    sequence: int
    type: str = Field(description="as in the events that other services hear")
    occurred_at: datetime
    data: dict[str, Any]
    trace_id: str | None = Field(description="in whose trace it happened, if traced")


@router.get(
    "",
    response_model=Page[FactView],
    responses=problems(_PATH, OrderNotFound()),
    dependencies=[at_most(LISTS_AT_ONCE)],
    summary="List what has happened to an order",
)
async def get_timeline(
    caller: Reader, order_id: UUID, window: Paged, request: Request
) -> Response:
    # A reader that lags behind does not know yet whose order it is.
    await database_of(request).transact(check_may_see, order_id, caller.customer_id)
    return respond_page(
        request,
        window,
        await reader_of(request).transact(store.find_page, window, order_id=order_id),
        view=partial(_view, caller),
        key=lambda told: (told.sequence,),
    )


def _view(caller: Caller, told: Told) -> FactView:
    view = FactView.model_validate(told)
    return view.model_copy(update={"data": told_to(caller, view.data)})
