"""Facts turned into books: the rules applied to what happened."""

from collections.abc import Sequence
from datetime import date
from itertools import chain
from typing import cast
from uuid import UUID

from msgspec import Struct, field

from accounting.domain.documents import Document, Refund, Series, document
from accounting.domain.ledger import Entry, net
from accounting.domain.money import Money
from accounting.domain.orders import Fact, Order, become
from accounting.domain.rules import ORDER_RULES, Effect, OrderRule, Rule, changes
from accounting.domain.shares import Share
from accounting.domain.stock import Adjusted, Received, Revalued


class Books(Struct):
    """What a batch of facts brings forth."""

    entries: list[Entry] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)

    def enter(self, order: Order | None, fact: Fact) -> Order:
        """Do what the rules say of this fact; answer the order after it.

        A fact that cannot be true leaves the books as they are.
        """
        order, shares = become(order, fact.what)
        for rule in ORDER_RULES[type(fact.what)]:
            share = shares[rule.units]
            if share.items:
                order = self._follow(rule, order, fact, share)
        return order

    def enter_moved(
        self,
        rule: Rule,
        moved: Sequence[Received | Revalued | Adjusted | Money],
        *,
        event_id: UUID,
        happened_on: date,
        order_id: UUID | None = None,
    ) -> None:
        moves = [changes(rule.legs, one, one.currency) for one in moved]
        self._post(
            Entry(
                rule=rule.name,
                order_id=order_id,
                source_event_id=event_id,
                effective_on=happened_on,
                postings=net(chain.from_iterable(moves)),
            )
        )

    def _follow(self, rule: OrderRule, order: Order, fact: Fact, share: Share) -> Order:
        effect = rule.effect(order.payment.method)
        moved = changes(effect.legs, share, order.currency)
        for worth in share.worth:
            moved += changes(rule.stock, worth, worth.currency or order.currency)
        self._post(
            Entry(
                rule=rule.name,
                order_id=order.id,
                source_event_id=fact.event_id,
                effective_on=fact.happened_on,
                postings=net(moved),
            )
        )
        if effect.document:
            self.documents.append(document(effect.document, order, fact, share))
        if effect.refund and share.total:
            self.refunds.append(_refund(order, fact, share.total))
        if effect.document or effect.refund:
            return _reckoned(order, effect, share.total)
        return order

    def _post(self, entry: Entry) -> None:
        # A free order moves no money, so there is nothing to post.
        if entry.postings:
            self.entries.append(entry)


def _reckoned(order: Order, effect: Effect, total: int) -> Order:
    return order.reckon(
        invoiced=total if effect.document is Series.INVOICE else 0,
        credited=total if effect.document is Series.CREDIT_NOTE else 0,
        to_refund=total if effect.refund else 0,
    )


def _refund(order: Order, fact: Fact, amount: int) -> Refund:
    return Refund(
        order_id=order.id,
        source_event_id=fact.event_id,
        amount=amount,
        currency=order.currency,
        # Who placed a prepaid order said both.
        provider=cast("str", order.payment.provider),
        reference=cast("str", order.payment.reference),
    )
