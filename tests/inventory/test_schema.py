import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError

from inventory.schema import metadata, reservation_lines
from tests.inventory.factories import stocked
from tests.schemas import migrated_and_known


async def test_the_migrations_make_the_schema_that_the_code_knows(tx):
    migrated, known = await migrated_and_known(tx, metadata)

    assert migrated == known


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE movements SET on_hand_change = 1",
        "DELETE FROM movements",
        "TRUNCATE movements",
        "UPDATE adjustments SET delta = 1",
        "DELETE FROM adjustments",
    ],
)
async def test_movements_are_never_changed(tx, change):
    await stocked(tx, ("SOAP", 5))

    with pytest.raises(IntegrityError, match="corrected by new rows"):
        await tx.execute(text(change))


@pytest.mark.parametrize(
    "table",
    [
        "cancellations",
        "cancellation_lines",
        "shipments",
        "shipment_lines",
        "return_receipts",
        "return_receipt_lines",
    ],
)
async def test_what_happened_to_orders_is_never_changed(tx, table):
    with pytest.raises(IntegrityError, match="corrected by new rows"):
        await tx.execute(text(f"DELETE FROM {table}"))  # noqa: S608


@pytest.mark.parametrize(
    "change", ["reserved = 6", "reserved = -1", "on_hand = -1", "on_hand = NULL"]
)
async def test_stock_can_neither_be_oversold_nor_negative(tx, change):
    await stocked(tx, ("SOAP", 5))

    with pytest.raises(IntegrityError):
        await tx.execute(text(f"UPDATE stock SET {change}"))  # noqa: S608


@pytest.mark.parametrize(
    "quantities",
    [
        {"reserved": 2, "backordered": 2},
        {"voided": 1, "shipped": 2, "released": 1},
        {"shipped": 1, "returned": 2},
        {"reserved": -1},
    ],
)
async def test_a_line_never_has_more_than_was_asked_for(tx, quantities):
    line = {"order_id": "0" * 32, "line": 1, "sku": "SOAP", "requested": 3}

    with pytest.raises(IntegrityError):
        await tx.execute(insert(reservation_lines).values(**line | quantities))
