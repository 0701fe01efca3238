"""What Inventory says of itself for the audit."""

from sqlalchemy import BigInteger, Select, cast, func, literal, select, union_all

from chassis.digest import Check, Digest, Part
from inventory.schema import (
    allocations,
    hold_allocations,
    movements,
    reservation_lines,
    reservations,
    stock,
)

_line = reservation_lines.c
_kept = _line.reserved + _line.backordered + _line.shipped
_released = _line.voided + _line.released
_short = _line.requested - _kept - _released

_moved = (
    select(
        movements.c.sku,
        movements.c.location,
        func.sum(movements.c.on_hand_change).label("on_hand"),
        func.sum(movements.c.reserved_change).label("reserved"),
    )
    .group_by(movements.c.sku, movements.c.location)
    .subquery()
)
_here = (stock.c.sku == _moved.c.sku) & (stock.c.location == _moved.c.location)

# Everything that is kept of the stock, whatever for.
_all_kept = union_all(
    select(_line.sku, allocations.c.location, allocations.c.reserved).join(
        reservation_lines,
        (_line.order_id == allocations.c.order_id) & (_line.line == allocations.c.line),
    ),
    select(
        hold_allocations.c.sku, hold_allocations.c.location, hold_allocations.c.reserved
    ),
).subquery()
_kept_there = (
    select(
        _all_kept.c.sku,
        _all_kept.c.location,
        func.sum(_all_kept.c.reserved).label("reserved"),
    )
    .group_by(_all_kept.c.sku, _all_kept.c.location)
    .subquery()
)

_allocated = (
    select(
        allocations.c.order_id,
        allocations.c.line,
        func.sum(allocations.c.reserved).label("reserved"),
        func.sum(allocations.c.shipped).label("shipped"),
    )
    .group_by(allocations.c.order_id, allocations.c.line)
    .subquery()
)


def _movements_make(figure: str) -> Check:
    expected = cast(func.coalesce(_moved.c[figure], 0), BigInteger)
    return Check(
        name=f"movements_make_{figure}",
        says=f"the movements of each product add up to what is {figure}",
        offenders=select(
            func.coalesce(stock.c.sku, _moved.c.sku).label("sku"),
            func.coalesce(stock.c.location, _moved.c.location).label("what"),
            expected.label("expected"),
            func.coalesce(stock.c[figure], 0).label("actual"),
        )
        .select_from(stock.join(_moved, _here, full=True))
        .where(func.coalesce(stock.c[figure], 0) != expected),
    )


def _orders_and_holds_make_reserved() -> Select[str, str, int, int]:
    kept = cast(func.coalesce(_kept_there.c.reserved, 0), BigInteger)
    return (
        select(
            stock.c.sku,
            stock.c.location.label("what"),
            kept.label("expected"),
            stock.c.reserved.label("actual"),
        )
        .join(
            _kept_there,
            (_kept_there.c.sku == stock.c.sku)
            & (_kept_there.c.location == stock.c.location),
            isouter=True,
        )
        .where(stock.c.reserved != kept)
    )


def _allocations_make(figure: str) -> Check:
    allocated = cast(func.coalesce(_allocated.c[figure], 0), BigInteger)
    return Check(
        name=f"allocations_make_{figure}",
        says=f"what each line has {figure} is what its allocations have",
        offenders=select(
            _line.order_id,
            _line.sku,
            literal(figure).label("what"),
            allocated.label("expected"),
            _line[figure].label("actual"),
        )
        .join(
            _allocated,
            (_allocated.c.order_id == _line.order_id)
            & (_allocated.c.line == _line.line),
            isouter=True,
        )
        .where(_line[figure] != allocated),
    )


DIGEST = Digest(
    parts=(
        Part(order_id=reservations.c.order_id, figures={"orders": literal(1)}),
        Part(
            order_id=_line.order_id,
            figures={
                "requested": _line.requested,
                "reserved": _line.reserved,
                "backordered": _line.backordered,
                "shipped": _line.shipped,
                "returned": _line.returned,
                "short": _short,
                # As Orders counts: whatever will not be delivered.
                "cancelled": _short + _released,
            },
        ),
    ),
    checks=(
        _movements_make("on_hand"),
        _movements_make("reserved"),
        Check(
            name="orders_and_holds_make_reserved",
            says="what is reserved of each product is what orders and holds keep",
            offenders=_orders_and_holds_make_reserved(),
        ),
        _allocations_make("reserved"),
        _allocations_make("shipped"),
    ),
)
