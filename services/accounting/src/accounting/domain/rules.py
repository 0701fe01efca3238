"""The posting rules, as data: one row for each fact and the units of an order it moves.

The words for amounts are those of `shares.Share` and `stock`.
"""

from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

from accounting.domain.documents import Series
from accounting.domain.ledger import Account, Change
from accounting.domain.money import Money
from accounting.domain.orders import (
    Cancelled,
    Confirmed,
    Placed,
    Rejected,
    Returned,
    Shipped,
    Units,
    What,
)
from accounting.domain.shares import Share, Worth
from accounting.domain.stock import Adjusted, Received, Revalued
from contracts.orders import PaymentMethod

OrderAmount: TypeAlias = Literal[
    "gross",
    "discount",
    "net",
    "shipping",
    "net_and_shipping",
    "tax",
    "total",
]
WorthAmount: TypeAlias = Literal["cost", "restocked", "scrapped"]
StockAmount: TypeAlias = Literal["value", "paid", "variance", "gain"]
MoneyAmount: TypeAlias = Literal["amount", "fee", "less_fee"]
Amount: TypeAlias = OrderAmount | WorthAmount | StockAmount | MoneyAmount
Moved: TypeAlias = Share | Worth | Received | Revalued | Adjusted | Money


class Leg(Struct, frozen=True):
    account: Account
    amount: Amount
    sign: Literal[1, -1]


def changes(legs: Iterable[Leg], moved: Moved, currency: str) -> list[Change]:
    """What moved, on both sides of the books."""
    return [
        (leg.account, leg.sign * getattr(moved, leg.amount), currency) for leg in legs
    ]


def debit(account: Account, amount: Amount) -> Leg:
    return Leg(account, amount, 1)


def credit(account: Account, amount: Amount) -> Leg:
    return Leg(account, amount, -1)


class Effect(Struct, frozen=True):
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


def credit_note(*legs: Leg) -> Effect:
    return Effect(legs, document=Series.CREDIT_NOTE)


def credit_note_and_refund(*legs: Leg) -> Effect:
    return Effect(legs, document=Series.CREDIT_NOTE, refund=True)


class OrderRule(Struct, frozen=True, kw_only=True):
    name: str
    units: Units
    prepaid: Effect
    terms: Effect
    stock: tuple[Leg, ...] = ()  # however it is paid; in the currency of the goods

    def effect(self, method: PaymentMethod) -> Effect:
        return self.prepaid if method is PaymentMethod.PREPAID else self.terms


class Rule(Struct, frozen=True, kw_only=True):
    """Of what concerns goods or money alone, and no units of an order."""

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
    Shipped: (
        OrderRule(
            name="order_shipped",
            units=Units.SHIPPED,
            prepaid=post(
                debit(Account.DEFERRED_REVENUE, "net_and_shipping"),
                debit(Account.DISCOUNTS, "discount"),
                credit(Account.SALES, "gross"),
                credit(Account.SHIPPING_INCOME, "shipping"),
            ),
            terms=invoice(
                debit(Account.RECEIVABLES, "total"),
                debit(Account.DISCOUNTS, "discount"),
                credit(Account.SALES, "gross"),
                credit(Account.SHIPPING_INCOME, "shipping"),
                credit(Account.TAX_PAYABLE, "tax"),
            ),
            stock=(
                debit(Account.COST_OF_SALES, "cost"),
                credit(Account.INVENTORY, "cost"),
            ),
        ),
    ),
    Cancelled: (
        OrderRule(
            name="order_cancelled",
            units=Units.CANCELLED,
            prepaid=credit_note_and_refund(
                debit(Account.DEFERRED_REVENUE, "net_and_shipping"),
                debit(Account.TAX_PAYABLE, "tax"),
                credit(Account.REFUNDS_PAYABLE, "total"),
            ),
            terms=NOTHING,
        ),
    ),
    Returned: (
        OrderRule(
            name="order_returned",
            units=Units.RETURNED,
            prepaid=credit_note_and_refund(
                debit(Account.RETURNS, "net"),
                debit(Account.TAX_PAYABLE, "tax"),
                credit(Account.REFUNDS_PAYABLE, "total"),
            ),
            terms=credit_note(
                debit(Account.RETURNS, "net"),
                debit(Account.TAX_PAYABLE, "tax"),
                credit(Account.RECEIVABLES, "total"),
            ),
            stock=(
                debit(Account.INVENTORY, "restocked"),
                debit(Account.STOCK_LOSS, "scrapped"),
                credit(Account.COST_OF_SALES, "cost"),
            ),
        ),
    ),
}

STOCK_RECEIVED = Rule(
    name="stock_received",
    legs=(
        debit(Account.INVENTORY, "value"),
        debit(Account.PRICE_VARIANCE, "variance"),
        credit(Account.GOODS_RECEIVED_NOT_INVOICED, "paid"),
    ),
)

STOCK_REVALUED = Rule(
    name="stock_revalued",
    legs=(
        debit(Account.INVENTORY, "gain"),
        credit(Account.PRICE_VARIANCE, "gain"),
    ),
)

# Of a gain; a loss is a gain below nothing.
STOCK_ADJUSTED = Rule(
    name="stock_adjusted",
    legs=(
        debit(Account.INVENTORY, "gain"),
        credit(Account.STOCK_LOSS, "gain"),
    ),
)

REFUND_SETTLED = Rule(
    name="refund_settled",
    legs=(
        debit(Account.REFUNDS_PAYABLE, "amount"),
        credit(Account.GATEWAY_CLEARING, "amount"),
    ),
)

GATEWAY_PAID_OUT = Rule(
    name="gateway_paid_out",
    legs=(
        debit(Account.BANK, "less_fee"),
        debit(Account.GATEWAY_FEES, "fee"),
        credit(Account.GATEWAY_CLEARING, "amount"),
    ),
)

PAYMENT_RECEIVED = Rule(
    name="payment_received",
    legs=(
        debit(Account.BANK, "amount"),
        credit(Account.RECEIVABLES, "amount"),
    ),
)
