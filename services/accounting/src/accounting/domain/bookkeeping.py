"""Facts turned into books: the rules applied to what happened."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from uuid import UUID

from accounting.domain.documents import Document, Refund, invoice
from accounting.domain.ledger import Entry, net
from accounting.domain.orders import Fact, Inconsistent, Order, become
from accounting.domain.rules import ORDER_RULES, OrderRule, StockRule
from accounting.domain.shares import Share
from accounting.domain.stock import Received, Revalued
from contracts.accounting import PaymentStatus


@dataclass
class Books:
    """What a batch of facts brings forth."""

    entries: list[Entry] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)

    def enter(self, order: Order | None, fact: Fact) -> Order:
        """Do what the rules say of this fact; answer the order after it."""
        order, shares = become(order, fact.what)
        for rule in ORDER_RULES[type(fact.what)]:
            share = shares[rule.units]
            if share.items:
                order = self._follow(rule, order, fact, share)
        return order

    def enter_stock(
        self,
        rule: StockRule,
        moved: Sequence[Received] | Sequence[Revalued],
        *,
        event_id: UUID,
        happened_on: date,
    ) -> None:
        changes = [leg.change(one, one.currency) for one in moved for leg in rule.legs]
        self._post(
            Entry(
                rule=rule.name,
                order_id=None,
                source_event_id=event_id,
                effective_on=happened_on,
                postings=net(changes),
            )
        )

    def _follow(self, rule: OrderRule, order: Order, fact: Fact, share: Share) -> Order:
        effect = rule.effect(order.payment.method)
        changes = [leg.change(share, order.currency) for leg in effect.legs]
        self._post(
            Entry(
                rule=rule.name,
                order_id=order.id,
                source_event_id=fact.event_id,
                effective_on=fact.happened_on,
                postings=net(changes),
            )
        )
        if effect.document:
            self.documents.append(invoice(order, fact, share))
        if effect.refund and share.total:
            self.refunds.append(_refund(order, fact, share.total))
            position = order.position.become(PaymentStatus.REFUND_PENDING)
            return replace(order, position=position)
        return order

    def _post(self, entry: Entry) -> None:
        # A free order moves no money, so there is nothing to post.
        if entry.postings:
            self.entries.append(entry)


def _refund(order: Order, fact: Fact, amount: int) -> Refund:
    payment = order.payment
    if payment.provider is None or payment.reference is None:
        raise Inconsistent(f"order {order.id} is prepaid, and nobody says how")
    return Refund(
        order_id=order.id,
        source_event_id=fact.event_id,
        amount=amount,
        currency=order.currency,
        provider=payment.provider,
        reference=payment.reference,
    )
