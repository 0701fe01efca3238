"""What holds in every committed moment, also while everything goes wrong."""

from collections.abc import Sequence
from importlib import import_module

from sqlalchemy import text

from chassis.database import Database, Tx
from chassis.digest import Check, Digest
from tests.chaos.invariants.evidence import Violation, shown, violated

SHOWN = 5
# What takes a while to become so is none of it.
ALWAYS = {
    "orders": {"status_follows_units", "facts_without_gaps"},
    "inventory": {
        "movements_make_on_hand",
        "movements_make_reserved",
        "orders_and_holds_make_reserved",
        "allocations_make_reserved",
        "allocations_make_shipped",
    },
    "accounting": {"trial_balance", "receivables"},
}
UNBALANCED = """
    SELECT entry_id, currency, sum(debit) AS debit, sum(credit) AS credit FROM postings
    GROUP BY entry_id, currency HAVING sum(debit) <> sum(credit)
"""


async def in_a_snapshot(name: str, database: Database) -> list[Violation]:
    """What one service's database says of itself in one committed moment."""
    digest: Digest = import_module(f"{name}.store.digest").DIGEST
    checks = [check for check in digest.checks if check.name in ALWAYS[name]]
    assert len(checks) == len(ALWAYS[name])
    return await database.transact(_examine, name, checks)


async def _examine(tx: Tx, name: str, checks: Sequence[Check]) -> list[Violation]:
    await tx.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    found = []
    for check in checks:
        offenders = (await tx.execute(check.offenders.limit(SHOWN))).all()
        found += [Violation(check.name, check.says, shown(row)) for row in offenders]
    if name == "accounting":
        unbalanced = (await tx.execute(text(UNBALANCED))).all()
        found += [
            violated("entries_balance", row, "unequal sides") for row in unbalanced
        ]
    return found
