"""The books: accounts, entries and the trial balance."""

from collections import defaultdict
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi import Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from msgspec.structs import asdict
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import RowMapping

from accounting.api.callers import BOOKKEEPERS
from accounting.api.fields import example
from accounting.api.formats import CSV, JSON, accepted, as_well
from accounting.api.sheets import REPORT, as_csv, header, respond_sheet
from accounting.domain.ledger import Account
from accounting.store import journal
from accounting.store.journal import Balance, Extract, Posted, Sought
from chassis.database import Database
from chassis.moments import Day, WrittenOut
from chassis.pages import Page, Paged
from chassis.routing import HttpRouter
from chassis.web import database_of, respond, respond_page

CHUNK = 1000  # entries
COLUMNS = (
    "effective_on",
    "entry_id",
    "rule",
    "order_id",
    "source_event_id",
    "refers_to",
    "posted_at",
    "account",
    "currency",
    "debit",
    "credit",
)

router = HttpRouter(prefix="/v1/accounting", tags=["books"], dependencies=[BOOKKEEPERS])


def _in_utc(moment: date) -> date:
    """The same moment; an offset may carry it over the end of the calendar."""
    try:
        return moment.astimezone(UTC) if isinstance(moment, datetime) else moment
    except OverflowError as error:
        raise ValueError("there is no such moment in UTC") from error


AsOf = Annotated[
    Annotated[
        AwareDatetime | date,
        Field(union_mode="left_to_right"),
        AfterValidator(_in_utc),
        WrittenOut,
    ]
    | None,
    Query(
        description="a day: what had happened by its end (UTC);"
        " a moment: what had been posted by then. Today, if left out."
    ),
]


class AccountBalanceView(BaseModel):
    currency: str
    debit: int
    credit: int
    balance: int


class AccountView(BaseModel):
    """An account and its balances: debits less credits, one per currency."""

    model_config = example(
        account="1000",
        name="Gateway clearing",
        balances=[{"currency": "EUR", "debit": 3558, "credit": 0, "balance": 3558}],
    )

    account: Account
    name: str
    balances: list[AccountBalanceView]


class PostingView(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    account: Account
    debit: int
    credit: int
    currency: str


class EntryView(BaseModel):
    id: UUID
    rule: str
    order_id: UUID | None
    source_event_id: UUID
    effective_on: date
    refers_to: date | None = Field(
        description="the day it happened on, if that period was closed by then"
    )
    posted_at: datetime
    postings: list[PostingView]

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "0198c5a6-2f0e-7c3a-8a55-6d8f1d6b8a01",
                    "rule": "order_placed",
                    "order_id": "5f0c5b0e-6d0a-5c55-9c39-3f6d6cf0a0a1",
                    "source_event_id": "0198c5a6-2eaa-7d10-9d4b-0c1d2e3f4a5b",
                    "effective_on": "2026-03-01",
                    "refers_to": None,
                    "posted_at": "2026-03-01T09:30:00Z",
                    "postings": [
                        {
                            "account": "1000",
                            "debit": 3558,
                            "credit": 0,
                            "currency": "EUR",
                        },
                        {
                            "account": "2000",
                            "debit": 0,
                            "credit": 3558,
                            "currency": "EUR",
                        },
                    ],
                }
            ]
        }
    )

    @classmethod
    def of(cls, posted: Posted) -> Self:
        return cls.model_validate(
            {"id": posted.id, "posted_at": posted.posted_at, **asdict(posted.entry)}
        )


class TrialBalanceRow(BaseModel):
    account: Account
    name: str
    currency: str
    debit: int
    credit: int
    balance: int

    @classmethod
    def of(cls, balance: Balance) -> Self:
        return cls(
            account=balance.account,
            name=balance.account.label,
            currency=balance.currency,
            debit=balance.debit,
            credit=balance.credit,
            balance=balance.debit - balance.credit,
        )


class TrialBalanceTotal(BaseModel):
    currency: str
    debit: int
    credit: int


class TrialBalanceView(BaseModel):
    """Every account that was ever posted to; debits and credits are equal."""

    model_config = example(
        as_of="2026-11-21",
        rows=[
            {
                "account": "1000",
                "name": "Gateway clearing",
                "currency": "EUR",
                "debit": 3558,
                "credit": 0,
                "balance": 3558,
            },
            {
                "account": "2000",
                "name": "Customer deposits",
                "currency": "EUR",
                "debit": 0,
                "credit": 3558,
                "balance": -3558,
            },
        ],
        totals=[{"currency": "EUR", "debit": 3558, "credit": 3558}],
    )

    as_of: date | datetime
    rows: list[TrialBalanceRow]
    totals: list[TrialBalanceTotal]

    @classmethod
    def of(cls, as_of: date, balances: Sequence[Balance]) -> Self:
        debits: defaultdict[str, int] = defaultdict(int)
        credits_: defaultdict[str, int] = defaultdict(int)
        for balance in balances:
            debits[balance.currency] += balance.debit
            credits_[balance.currency] += balance.credit
        return cls(
            as_of=as_of,
            rows=[TrialBalanceRow.of(balance) for balance in balances],
            totals=[
                TrialBalanceTotal(
                    currency=currency,
                    debit=debits[currency],
                    credit=credits_[currency],
                )
                for currency in sorted(debits)
            ],
        )


@router.get("/accounts", response_model=Page[AccountView], dependencies=[REPORT])
async def list_accounts(request: Request, as_of: AsOf = None) -> Response:
    """The chart of accounts with its balances, on one page."""
    balances = await _balances(request, as_of or _today())
    of_account: defaultdict[Account, list[AccountBalanceView]] = defaultdict(list)
    for one in balances:
        row = TrialBalanceRow.of(one)
        of_account[one.account].append(
            AccountBalanceView.model_validate(row, from_attributes=True)
        )
    views = [
        AccountView(account=a, name=a.label, balances=of_account[a]) for a in Account
    ]
    return respond(request, Page(items=views, next_cursor=None))


@router.get(
    "/reports/trial-balance",
    response_model=TrialBalanceView,
    responses=as_well(CSV),
    dependencies=[REPORT],
)
async def trial_balance(request: Request, as_of: AsOf = None) -> Response:
    """The trial balance, per currency."""
    media = accepted(request, JSON, CSV)
    then = as_of or _today()
    view = TrialBalanceView.of(then, await _balances(request, then))
    return respond_sheet(request, media, view, TrialBalanceRow, view.rows)


def _sought(
    order_id: UUID | None = None,
    account: Account | None = None,
    since: Annotated[Day | None, Query(alias="from", description="inclusive")] = None,
    until: Annotated[Day | None, Query(alias="to", description="inclusive")] = None,
) -> Sought:
    return Sought(order_id=order_id, account=account, since=since, until=until)


@router.get("/entries", response_model=Page[EntryView])
async def list_entries(
    request: Request, window: Paged, sought: Annotated[Sought, Depends(_sought)]
) -> Response:
    """List journal entries with their postings, in the order of the journal."""
    found = await database_of(request).transact(journal.find, sought, window)
    return respond_page(
        request,
        window,
        found,
        view=EntryView.of,
        key=lambda posted: (posted.entry.effective_on, posted.id),
    )


@router.get(
    "/journal.csv",
    response_class=StreamingResponse,
    responses={200: {"content": {CSV: {"schema": {"type": "string"}}}}},
    dependencies=[REPORT],
)
async def export_journal(
    request: Request,
    since: Annotated[Day, Query(alias="from", description="inclusive")] = date.min,
    until: Annotated[Day, Query(alias="to", description="inclusive")] = date.max,
) -> Response:
    """The journal as CSV, a line for each posting, as it stands now."""
    extract = Extract(since=since, until=until, moment=datetime.now(UTC))
    database = database_of(request)
    # Read before the answer begins: a database that is away is then said to be.
    first = await database.transact(journal.read_on, extract, None, CHUNK)
    lines = _lines(database, extract, first)
    return StreamingResponse(
        lines,
        headers={"Content-Disposition": 'attachment; filename="journal.csv"'},
        media_type=CSV,
    )


async def _lines(
    database: Database, extract: Extract, chunk: Sequence[RowMapping]
) -> AsyncGenerator[str, None]:
    """Chunk by chunk, the next one when the last has been taken."""
    yield header(COLUMNS)
    while chunk:
        yield as_csv(COLUMNS, chunk)
        chunk = await database.transact(journal.read_on, extract, chunk[-1], CHUNK)


async def _balances(request: Request, as_of: date) -> list[Balance]:
    return await database_of(request).transact(journal.balances, as_of)


def _today() -> date:
    return datetime.now(UTC).date()
