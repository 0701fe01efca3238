"""Reports for bookkeepers, as JSON or CSV: few at once, as bookkeeping goes first."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Self, TypeVar

from fastapi import Query, Request, Response
from msgspec.structs import asdict
from pydantic import BaseModel

from accounting.api.callers import BOOKKEEPERS
from accounting.api.fields import example
from accounting.api.formats import CSV, JSON, accepted, as_well
from accounting.api.sheets import REPORT, respond_sheet
from accounting.domain.periods import Month
from accounting.store import reports
from accounting.store.reports import By, Earned, Owed, Taxed
from chassis.moments import Day
from chassis.routing import HttpRouter
from chassis.web import database_of

router = HttpRouter(
    prefix="/v1/accounting/reports",
    tags=["reports"],
    dependencies=[BOOKKEEPERS, REPORT],
)

PERIOD = r"^(19|2\d)\d\d(-(0[1-9]|1[0-2]))?$"


class _OfCustomer(BaseModel):
    customer_id: str


class OwedTotal(BaseModel):
    """`balance` is what is owed less the credits."""

    currency: str
    current: int
    days_1_30: int
    days_31_60: int
    days_61_90: int
    over_90: int
    credits: int
    balance: int


class OwedView(OwedTotal, _OfCustomer):
    """What a customer owes in a currency."""

    @classmethod
    def of(cls, owed: Owed) -> Self:
        due = owed.current + owed.days_1_30 + owed.days_31_60 + owed.days_61_90
        return cls(**asdict(owed), balance=due + owed.over_90 - owed.credits)


_OWED = {
    "currency": "EUR",
    "current": 3558,
    "days_1_30": 0,
    "days_31_60": 1190,
    "days_61_90": 0,
    "over_90": 0,
    "credits": 100,
    "balance": 4648,
}


class AgeingView(BaseModel):
    """What customers owe, by the days it is overdue, and what is to their credit."""

    as_of: date
    rows: list[OwedView]
    totals: list[OwedTotal]

    model_config = example(
        as_of="2026-05-15", rows=[{"customer_id": "c-42", **_OWED}], totals=[_OWED]
    )


class TaxTotal(BaseModel):
    """`tax` is what is to be paid: what was invoiced less what was credited."""

    currency: str
    invoiced_net: int
    invoiced_tax: int
    credited_net: int
    credited_tax: int
    net: int
    tax: int


class _OfRate(BaseModel):
    rate: str | None


class TaxedView(TaxTotal, _OfRate):
    """Of a rate in a currency; null: no rate was given."""

    @classmethod
    def of(cls, taxed: Taxed) -> Self:
        return cls(
            **asdict(taxed),
            net=taxed.invoiced_net - taxed.credited_net,
            tax=taxed.invoiced_tax - taxed.credited_tax,
        )


_TAXED = {
    "currency": "EUR",
    "invoiced_net": 2990,
    "invoiced_tax": 568,
    "credited_net": 490,
    "credited_tax": 93,
    "net": 2500,
    "tax": 475,
}


class TaxReportView(BaseModel):
    """The tax on what was invoiced in a period, less what was credited."""

    period: str
    rows: list[TaxedView]
    totals: list[TaxTotal]

    model_config = example(
        period="2026-03", rows=[{"rate": "19.00", **_TAXED}], totals=[_TAXED]
    )


class RevenueTotal(BaseModel):
    """`net` = sales + shipping - discounts - returns."""

    currency: str
    sales: int
    shipping: int
    discounts: int
    returns: int
    net: int


class _OfDay(BaseModel):
    day: date


class _OfChannel(BaseModel):
    channel: str | None


class RevenueOfDay(RevenueTotal, _OfDay):
    pass


class RevenueOfChannel(RevenueTotal, _OfChannel):
    pass


_REVENUE_OF: Mapping[By, type[RevenueOfDay | RevenueOfChannel]] = {
    "day": RevenueOfDay,
    "channel": RevenueOfChannel,
}
_EARNED = {
    "currency": "EUR",
    "sales": 2500,
    "shipping": 490,
    "discounts": 100,
    "returns": 0,
    "net": 2890,
}


class RevenueView(BaseModel):
    """Income as it was earned: with the shipment."""

    by: By
    rows: list[RevenueOfDay | RevenueOfChannel]
    totals: list[RevenueTotal]

    model_config = example(
        by="channel", rows=[{"channel": "web", **_EARNED}], totals=[_EARNED]
    )


T = TypeVar("T", bound=BaseModel)


def _totals(total: type[T], rows: Iterable[BaseModel]) -> list[T]:
    """The sums of the rows per currency, of what the totals have."""
    amounts = [name for name in total.model_fields if name != "currency"]
    sums: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        figures = row.model_dump()
        sums[figures["currency"]].update({name: figures[name] for name in amounts})
    return [total(currency=currency, **sums[currency]) for currency in sorted(sums)]


def _today() -> date:
    return datetime.now(UTC).date()


@router.get("/receivables-ageing", response_model=AgeingView, responses=as_well(CSV))
async def receivables_ageing(
    request: Request,
    as_of: Annotated[
        Day | None, Query(description="the end of a day; today, if left out")
    ] = None,
) -> Response:
    """What customers on terms owe, by age, per customer and currency."""
    media = accepted(request, JSON, CSV)
    day = as_of or _today()
    found = await database_of(request).transact(reports.ageing, day)
    rows = list(map(OwedView.of, found))
    view = AgeingView(as_of=day, rows=rows, totals=_totals(OwedTotal, rows))
    return respond_sheet(request, media, view, OwedView, rows)


@router.get("/tax", response_model=TaxReportView, responses=as_well(CSV))
async def tax_report(
    request: Request,
    period: Annotated[
        str,
        Query(pattern=PERIOD, description="yyyy-mm or yyyy", examples=["2026-03"]),
    ],
) -> Response:
    """The tax of a month or a year, per rate and currency."""
    media = accepted(request, JSON, CSV)
    since, until = _days_of(period)
    found = await database_of(request).transact(reports.tax, since, until)
    rows = list(map(TaxedView.of, found))
    view = TaxReportView(period=period, rows=rows, totals=_totals(TaxTotal, rows))
    return respond_sheet(request, media, view, TaxedView, rows)


def _days_of(period: str) -> tuple[date, date]:
    year, _, month = period.partition("-")
    first = Month(date(int(year), int(month or 1), 1))
    last = first if month else Month(date(int(year), 12, 1))
    return first.first, last.last


@router.get("/revenue", response_model=RevenueView, responses=as_well(CSV))
async def revenue_report(
    request: Request,
    by: By = "day",
    since: Annotated[
        Day | None,
        Query(alias="from", description="inclusive; the month's first, if left out"),
    ] = None,
    until: Annotated[
        Day | None, Query(alias="to", description="inclusive; today, if left out")
    ] = None,
) -> Response:
    """What was earned, by day or by channel, per currency."""
    media = accepted(request, JSON, CSV)
    last = until or _today()
    first = since or last.replace(day=1)
    found = await database_of(request).transact(reports.revenue, by, first, last)
    row_of = _REVENUE_OF[by]
    rows = [_earned(row_of, one) for one in found]
    view = RevenueView(by=by, rows=rows, totals=_totals(RevenueTotal, rows))
    return respond_sheet(request, media, view, row_of, rows)


def _earned(
    row_of: type[RevenueOfDay | RevenueOfChannel], one: Earned
) -> RevenueOfDay | RevenueOfChannel:
    net = one.sales + one.shipping - one.discounts - one.returns
    return row_of.model_validate({**asdict(one), "net": net})
