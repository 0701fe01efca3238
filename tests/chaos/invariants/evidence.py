"""What is known when everything is quiet again, and what is found out from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import text

from chassis.database import Database, Tx
from tests.chaos.history import JSON, Attempt
from tests.chaos.system import System

Databases: TypeAlias = Mapping[str, Database]


@dataclass(frozen=True)
class Violation:
    invariant: str
    what: str
    where: str


@dataclass(frozen=True)
class Evidence:
    attempts: Sequence[Attempt]
    databases: Databases
    system: System
    poison: set[str]
    hot: str = ""
    hot_units: int = 0


async def rows(database: Database, query: str, **values: Any) -> list[Any]:
    async def read(tx: Tx) -> list[Any]:
        return list((await tx.execute(text(query), values)).all())

    return await database.transact(read)


def violated(invariant: str, row: Any, what: str) -> Violation:
    return Violation(invariant, what, shown(row))


def shown(row: Any) -> str:
    return ", ".join(f"{name}={value}" for name, value in row._asdict().items())


async def stored_orders(evidence: Evidence) -> dict[str, JSON]:
    found = await rows(
        evidence.databases["orders"],
        "SELECT id, status, reference, total, customer_id, currency, policy,"
        " payment_reference, (SELECT json_agg(json_build_array(sku, quantity,"
        " unit_price, discount, tax) ORDER BY line) FROM order_lines"
        " WHERE order_id = id) AS lines FROM orders",
    )
    return {str(row.id): row._asdict() for row in found}
