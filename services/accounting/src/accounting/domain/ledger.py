"""The chart of accounts, entries and their postings."""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from msgspec import Struct


class Account(StrEnum):
    """1 assets · 2 liabilities · 4 income and what lessens it · 5 expenses."""

    GATEWAY_CLEARING = "1000"
    BANK = "1010"
    RECEIVABLES = "1100"
    INVENTORY = "1200"
    CUSTOMER_DEPOSITS = "2000"
    DEFERRED_REVENUE = "2050"
    TAX_PAYABLE = "2100"
    REFUNDS_PAYABLE = "2200"
    GOODS_RECEIVED_NOT_INVOICED = "2300"
    SALES = "4000"
    SHIPPING_INCOME = "4010"
    DISCOUNTS = "4100"
    RETURNS = "4200"
    COST_OF_SALES = "5000"
    STOCK_LOSS = "5100"
    PRICE_VARIANCE = "5200"
    GATEWAY_FEES = "5300"

    @property
    def label(self) -> str:
        return self.name.replace("_", " ").capitalize()


class Unbalanced(Exception):
    """Debits and credits differ: the fault of a rule, never of a fact."""


# An account grows by an amount of a currency; debits are positive.
Change: TypeAlias = tuple[Account, int, str]


class Posting(Struct, frozen=True, kw_only=True):
    account: Account
    debit: int
    credit: int
    currency: str


class Entry(Struct, frozen=True, kw_only=True):
    """What one fact did to the accounts by one rule. It is never edited.

    `refers_to` is the day the fact happened on, if that period was closed by then.
    """

    rule: str
    order_id: UUID | None
    source_event_id: UUID
    effective_on: date
    postings: tuple[Posting, ...]
    refers_to: date | None = None

    def __post_init__(self) -> None:
        differences: dict[str, int] = {}
        for one in self.postings:
            so_far = differences.get(one.currency, 0)
            differences[one.currency] = so_far + one.debit - one.credit
        if any(differences.values()):
            raise Unbalanced(f"{self.rule} of event {self.source_event_id}")


def net(changes: Iterable[Change]) -> tuple[Posting, ...]:
    """At most one posting per account and currency; what cancels out leaves none."""
    amounts: dict[tuple[Account, str], int] = {}
    for account, amount, currency in changes:
        amounts[account, currency] = amounts.get((account, currency), 0) + amount
    posted = [
        Posting(
            account=account,
            debit=max(amount, 0),
            credit=max(-amount, 0),
            currency=currency,
        )
        for (account, currency), amount in amounts.items()
        if amount
    ]
    return tuple(posted)
