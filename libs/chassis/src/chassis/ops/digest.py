"""Figures for the audit: sums, the orders behind them, and what always holds."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Self
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from chassis.digest import Bucket, Finding, OrderFigures
from chassis.ops import desk_of
from chassis.pages import MAX_LIMIT, Page, Paged
from chassis.routing import HttpRouter
from chassis.web import reader_of, respond, respond_page

router = HttpRouter()


class SumsView(BaseModel):
    orders: int
    figures: dict[str, int]

    @classmethod
    def over(cls, buckets: Sequence[Bucket]) -> Self:
        figures: Counter[str] = Counter()
        for bucket in buckets:
            figures.update(bucket.figures)
        return cls(orders=sum(b.orders for b in buckets), figures=dict(figures))


class BucketView(SumsView):
    bucket: str = Field(description="the first byte of the orders' ids, in hexadecimal")
    mixed: dict[str, int] = Field(
        description="each order's figure, weighed by its id: differs also where"
        " differences cancel each other out in the sum"
    )

    @classmethod
    def of(cls, bucket: Bucket) -> Self:
        return cls(
            bucket=f"{bucket.first_byte:02x}",
            orders=bucket.orders,
            figures=dict(bucket.figures),
            mixed=dict(bucket.mixed),
        )


class OffenderView(BaseModel):
    """What a check is not true of: an order, a SKU, or what it says."""

    model_config = ConfigDict(from_attributes=True)

    order_id: UUID | None = None
    sku: str | None = None
    what: str | None = None
    expected: int
    actual: int


class CheckView(BaseModel):
    name: str
    holds: bool
    detail: str = Field(description="what is true when it holds")
    offenders: list[OffenderView] = Field(description="at most twenty")
    more: bool

    @classmethod
    def of(cls, finding: Finding) -> Self:
        return cls(
            name=finding.check.name,
            holds=not finding.offenders,
            detail=finding.check.says,
            offenders=[OffenderView.model_validate(row) for row in finding.offenders],
            more=finding.more,
        )


class DigestView(BaseModel):
    totals: SumsView
    buckets: list[BucketView]
    checks: list[CheckView]

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "totals": {"orders": 1, "figures": {"requested": 2, "shipped": 2}},
                    "buckets": [
                        {
                            "bucket": "5f",
                            "orders": 1,
                            "figures": {"requested": 2, "shipped": 2},
                            "mixed": {"requested": 6240, "shipped": 6240},
                        }
                    ],
                    "checks": [
                        {
                            "name": "outbox_drained",
                            "holds": True,
                            "detail": "no event waits for more than a minute",
                            "offenders": [],
                            "more": False,
                        }
                    ],
                }
            ]
        }
    )


class OrderFiguresView(BaseModel):
    order_id: UUID
    figures: dict[str, int]

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "order_id": "5f0c5b0e-6d0a-5c55-9c39-3f6d6cf0a0a1",
                    "figures": {"requested": 2, "shipped": 2},
                }
            ]
        },
    )


@router.get("/digest", response_model=DigestView | Page[OrderFiguresView])
async def get_digest(
    request: Request,
    window: Paged,
    bucket: Annotated[
        str | None,
        Query(pattern="^[0-9a-f]{2}$", description="its orders one by one, in pages"),
    ] = None,
    order_id: Annotated[
        list[UUID] | None,
        Query(max_length=MAX_LIMIT, description="these orders, on one page"),
    ] = None,
) -> Response:
    """Figures for the audit: sums by bucket and checks, or the orders of a bucket."""
    digest, database = desk_of(request).digest, reader_of(request)
    if order_id:
        found = await database.transact(digest.get_orders, order_id)
        items = [OrderFiguresView.model_validate(row) for row in found]
        return respond(request, Page[OrderFiguresView](items=items, next_cursor=None))
    if bucket is not None:
        rows = await database.transact(
            digest.find_orders, window, bucket=int(bucket, 16)
        )
        return respond_page(
            request, window, rows, view=OrderFiguresView.model_validate, key=_key
        )
    return respond(request, await _whole(request))


async def _whole(request: Request) -> DigestView:
    desk, database = desk_of(request), reader_of(request)
    async with desk.counting:
        buckets = await desk.digest.sum_up(database)
        findings = await desk.digest.examine(database)
    return DigestView(
        totals=SumsView.over(buckets),
        buckets=[BucketView.of(bucket) for bucket in buckets],
        checks=[CheckView.of(finding) for finding in findings],
    )


def _key(row: OrderFigures) -> tuple[UUID]:
    return (row.order_id,)
