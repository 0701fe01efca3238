"""Products and locations."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec.structs import asdict
from sqlalchemy import RowMapping, Text, any_, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert

from chassis.database import Row, Tx, changes_of, run, update_many
from chassis.pages import Window
from inventory.domain.products import KnownProduct, Location, Product
from inventory.schema import locations, products

_HOLD = (
    select(products)
    .where(products.c.sku == any_(bindparam("skus", type_=ARRAY(Text))))
    .order_by(products.c.sku)
    # Foreign keys to a product may still be checked meanwhile.
    .with_for_update(key_share=True)
)
_SAVE_LOW = update_many(products, ["sku"], ["low"]).returning(func.now())


async def add(tx: Tx, product: Product) -> KnownProduct | None:
    """None: the SKU is a product already.

    There is nothing of a new one, but it has not run low: it was never higher.
    """
    added = await tx.execute(
        insert(products)
        .values(**asdict(product), low=product.reorder_point is not None)
        .on_conflict_do_nothing()
        .returning(products)
    )
    row = added.mappings().one_or_none()
    return known_product(row) if row else None


async def hold(tx: Tx, skus: Iterable[str]) -> dict[str, KnownProduct]:
    """The products among the SKUs, kept from others with all their stock."""
    found = await run(tx, _HOLD, {"skus": list(set(skus))})
    return {row["sku"]: known_product(row) for row in found}


async def save(tx: Tx, product: Product) -> KnownProduct:
    saved = await tx.execute(
        update(products)
        .where(products.c.sku == product.sku)
        .values(
            **asdict(product), version=products.c.version + 1, changed_at=func.now()
        )
        .returning(products)
    )
    return known_product(saved.mappings().one())


async def save_low(tx: Tx, low: Mapping[str, bool]) -> datetime:
    """Remember which held products are low now; answers when that was."""
    rows = [{"sku": sku, "low": is_low} for sku, is_low in low.items()]
    saved = await tx.execute(_SAVE_LOW, changes_of(rows, ("sku", "low")))
    return saved.scalars().all()[0]


async def get(tx: Tx, sku: str) -> KnownProduct | None:
    found = await tx.execute(select(products).where(products.c.sku == sku))
    row = found.mappings().one_or_none()
    return known_product(row) if row else None


async def find(tx: Tx, window: Window, q: str | None) -> list[KnownProduct]:
    query = select(products)
    if q:
        query = query.where(
            products.c.sku.icontains(q, autoescape=True)
            | products.c.name.icontains(q, autoescape=True)
        )
    found = await tx.execute(window.of(query, products.c.sku))
    return [known_product(row) for row in found.mappings()]


def known_product(row: Row | RowMapping) -> KnownProduct:
    return KnownProduct(
        product=Product(
            sku=row["sku"],
            name=row["name"],
            unit_cost=row["unit_cost"],
            currency=row["currency"],
            reorder_point=row["reorder_point"],
        ),
        version=row["version"],
        changed_at=row["changed_at"],
        low=row["low"],
    )


async def add_location(tx: Tx, location: Location) -> bool:
    """False: the code is a location already."""
    added = await tx.execute(
        insert(locations).values(asdict(location)).on_conflict_do_nothing()
    )
    return added.rowcount == 1


async def save_location(tx: Tx, location: Location) -> None:
    await tx.execute(
        update(locations)
        .where(locations.c.code == location.code)
        .values(asdict(location))
    )


async def get_location(tx: Tx, code: str) -> Location | None:
    found = await tx.execute(select(locations).where(locations.c.code == code))
    row = found.mappings().one_or_none()
    return Location(**row) if row else None


async def find_locations(tx: Tx, window: Window) -> list[Location]:
    """In the order in which they are preferred."""
    query = window.of(select(locations), locations.c.priority, locations.c.code)
    return [Location(**row) for row in (await tx.execute(query)).mappings()]
