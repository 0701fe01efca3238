"""The posting rules, as data: one row for each fact and the units of an order it moves.

The words for amounts are those of `shares.Share` and `stock`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from accounting.domain.documents import Series
from accounting.domain.ledger import Account, Change
from accounting.domain.orders import (
    Confirmed,
    Placed,
    Rejected,
    Units,
    What,
)
from accounting.domain.shares import Share
from accounting.domain.stock import Received, Revalued
from contracts.orders import PaymentMethod

OrderAmount: TypeAlias = Literal["net_and_shipping", "tax", "total"]
StockAmount: TypeAlias = Literal["value", "paid", "variance", "gain"]


@dataclass(frozen=True)
class Leg:
    account: Account
    amount: OrderAmount | StockAmount
    sign: Literal[1, -1]

    def change(self, moved: Share | Received | Revalued, currency: str) -> Change:
        amount: int = getattr(moved, self.amount)
        return Change(self.account, self.sign * amount, currency)


def debit(account: Account, amount: OrderAmount | StockAmount) -> Leg:
    return Leg(account, amount, 1)


def credit(account: Account, amount: OrderAmount | StockAmount) -> Leg:
    return Leg(account, amount, -1)


@dataclass(frozen=True)
class Effect:
    """What a fact does: postings, and the document or refund that goes with them."""

    legs: tuple[Leg, ...] = ()
    document: Series | None = None
    refund: bool = False


NOTHING = Effect()


def post(*legs: Leg) -> Effect:
    return Effect(legs)


def invoice(*legs: Leg) -> Effect:
    return Effect(legs, document=Series.INVOICE)


def refund(*legs: Leg) -> Effect:
    return Effect(legs, refund=True)


@dataclass(frozen=True, kw_only=True)
class OrderRule:
    name: str
    units: Units
    prepaid: Effect
    terms: Effect

    def effect(self, method: PaymentMethod) -> Effect:
        return self.prepaid if method is PaymentMethod.PREPAID else self.terms


@dataclass(frozen=True, kw_only=True)
class StockRule:
    name: str
    legs: tuple[Leg, ...]


ORDER_RULES: Mapping[type[What], tuple[OrderRule, ...]] = {
    Placed: (
        OrderRule(
            name="order_placed",
            units=Units.ORDERED,
            prepaid=post(
                debit(Account.GATEWAY_CLEARING, "total"),
                credit(Account.CUSTOMER_DEPOSITS, "total"),
            ),
            terms=NOTHING,
        ),
    ),
    Rejected: (
        OrderRule(
            name="order_rejected",
            units=Units.ORDERED,
            prepaid=refund(
                debit(Account.CUSTOMER_DEPOSITS, "total"),
                credit(Account.REFUNDS_PAYABLE, "total"),
            ),
            terms=NOTHING,
        ),
    ),
    Confirmed: (
        OrderRule(
            name="order_confirmed",
            units=Units.CONFIRMED,
            prepaid=invoice(
                debit(Account.CUSTOMER_DEPOSITS, "total"),
                credit(Account.DEFERRED_REVENUE, "net_and_shipping"),
                credit(Account.TAX_PAYABLE, "tax"),
            ),
            terms=NOTHING,
        ),
        OrderRule(
            name="order_confirmed_short",
            units=Units.SHORT,
            prepaid=refund(
                debit(Account.CUSTOMER_DEPOSITS, "total"),
                credit(Account.REFUNDS_PAYABLE, "total"),
            ),
            terms=NOTHING,
        ),
    ),
}

STOCK_RECEIVED = StockRule(
    name="stock_received",
    legs=(
        debit(Account.INVENTORY, "value"),
        debit(Account.PRICE_VARIANCE, "variance"),
        credit(Account.GOODS_RECEIVED_NOT_INVOICED, "paid"),
    ),
)

STOCK_REVALUED = StockRule(
    name="stock_revalued",
    legs=(
        debit(Account.INVENTORY, "gain"),
        credit(Account.PRICE_VARIANCE, "gain"),
    ),
)
