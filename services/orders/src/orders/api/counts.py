"""How many orders there are: what a page that shows the flow asks for."""

from datetime import datetime
from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from chassis.routing import HttpRouter
from chassis.shedding import at_most
from chassis.web import reader_of, respond
from orders.api.callers import Reader
from orders.domain.orders import Status
from orders.store import counts as store

router = HttpRouter(prefix="/v1/orders/counts", tags=["orders"])

AT_ONCE = 4  # less than lists: each reads as much as hundreds of pages
MOST_MINUTES = 60


class MinuteView(BaseModel):
    minute: datetime
    placed: int


class TimesView(BaseModel):
    """Of the newest orders that are decided, in seconds."""

    orders: int = Field(description=f"how many; of {store.MOST_TIMED} at most")
    median: float
    p95: float = Field(description="95 of 100 did not take longer")

    model_config = ConfigDict(from_attributes=True)


class CountsView(BaseModel):
    as_of: datetime
    minutes: list[MinuteView] = Field(
        description="the last ones, oldest first; the current one goes on. Fewer than"
        f" asked for when they have {store.MOST_RECENT} orders or more"
    )
    states: dict[Status, int] = Field(
        description="where the orders of these minutes stand now"
    )
    time_to_decide: TimesView | None = Field(
        description="from placing to decision, of the newest orders of these minutes;"
        " null where none of them is decided"
    )
    undecided: int = Field(
        description=f"orders of any age; {store.MOST_WAITING} stands for that or more"
    )
    attention: int = Field(
        description="orders of any age that somebody should look at;"
        f" {store.MOST_WAITING} stands for that or more"
    )

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "as_of": "2026-11-21T09:31:12Z",
                    "minutes": [
                        {"minute": "2026-11-21T09:30:00Z", "placed": 41},
                        {"minute": "2026-11-21T09:31:00Z", "placed": 9},
                    ],
                    "states": {"placed": 1, "confirmed": 47, "rejected": 2},
                    "time_to_decide": {"orders": 49, "median": 0.21, "p95": 0.48},
                    "undecided": 1,
                    "attention": 0,
                }
            ]
        }
    )


@router.get(
    "",
    response_model=CountsView,
    dependencies=[at_most(AT_ONCE)],
    summary="Count orders by minute and state",
)
async def count_orders(
    caller: Reader,
    request: Request,
    minutes: Annotated[int, Query(ge=1, le=MOST_MINUTES)] = 30,
) -> Response:
    found = await reader_of(request).transact(
        store.count, caller.customer_id, minutes=minutes
    )
    view = CountsView(
        as_of=found.as_of,
        minutes=[
            MinuteView(minute=minute, placed=placed)
            for minute, placed in found.placed.items()
        ],
        states=dict(found.states),
        time_to_decide=found.time_to_decide
        and TimesView.model_validate(found.time_to_decide),
        undecided=found.undecided,
        attention=found.attention,
    )
    return respond(request, view)
