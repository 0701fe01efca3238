"""What became of an accepted order that could not be placed under its id."""

from uuid import UUID

from msgspec import Struct


class Refusal(Struct, frozen=True, kw_only=True):
    """`placed_as`: the payment has placed that order before, with the same content."""

    order_id: UUID
    fingerprint: bytes
    client: str
    code: str
    detail: str
    placed_as: UUID | None = None
