"""Money that moves between the customers, the gateway and the bank."""

from collections.abc import Sequence

from msgspec import Struct


class Money(Struct, frozen=True, kw_only=True):
    """`fee` is what the gateway keeps of a payout."""

    amount: int
    currency: str
    fee: int = 0

    @property
    def less_fee(self) -> int:
        return self.amount - self.fee


def spread(amount: int, over: Sequence[int]) -> list[int]:
    """What each gets of an amount, in their order, and none more than it is open."""
    given = []
    for open_ in over:
        given.append(min(amount, max(open_, 0)))
        amount -= given[-1]
    return given
