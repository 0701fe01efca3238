"""How far an order is paid or refunded, as others are told."""

from msgspec import Struct
from msgspec.structs import replace

from contracts.accounting import PaymentStatus
from contracts.orders import PaymentMethod


class Tally(Struct, frozen=True, kw_only=True):
    """What became of an order's money so far. Prepaid, it is `paid` when placed."""

    invoiced: int = 0
    credited: int = 0
    paid: int = 0
    to_refund: int = 0
    refunded: int = 0

    def plus(
        self,
        *,
        invoiced: int = 0,
        credited: int = 0,
        paid: int = 0,
        to_refund: int = 0,
        refunded: int = 0,
    ) -> "Tally":
        return Tally(
            invoiced=self.invoiced + invoiced,
            credited=self.credited + credited,
            paid=self.paid + paid,
            to_refund=self.to_refund + to_refund,
            refunded=self.refunded + refunded,
        )

    @property
    def owed(self) -> int:
        return self.invoiced - self.credited - self.paid

    def status(self, method: PaymentMethod) -> PaymentStatus:
        return self._prepaid() if method is PaymentMethod.PREPAID else self._on_terms()

    def _prepaid(self) -> PaymentStatus:
        if self.refunded < self.to_refund:
            return PaymentStatus.REFUND_PENDING
        if not self.refunded:
            return PaymentStatus.CAPTURED
        if self.refunded < self.paid:
            return PaymentStatus.PARTLY_REFUNDED
        return PaymentStatus.REFUNDED

    def _on_terms(self) -> PaymentStatus:
        """Of what was invoiced: each change of it is announced by a document."""
        if self.invoiced and self.owed <= 0:
            return PaymentStatus.PAID
        return PaymentStatus.PARTLY_PAID if self.paid else PaymentStatus.DUE


NOTHING_YET = Tally()


class Position(Struct, frozen=True, kw_only=True):
    """Each change has a higher version."""

    version: int
    status: PaymentStatus

    def become(self, status: PaymentStatus) -> "Position":
        if status is self.status:
            return self
        return replace(self, version=self.version + 1, status=status)


OPENING = {
    PaymentMethod.PREPAID: Position(version=1, status=PaymentStatus.CAPTURED),
    PaymentMethod.TERMS: Position(version=1, status=PaymentStatus.DUE),
}
