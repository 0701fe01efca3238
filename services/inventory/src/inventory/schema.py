"""Inventory's tables, and the laws of stock that PostgreSQL holds us to."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.sql.elements import TextClause

metadata = MetaData()


def _now() -> TextClause:
    return text("now()")


def _quantity(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")


products = Table(
    "products",
    metadata,
    Column("sku", Text, primary_key=True),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("name", Text, nullable=False),
    Column("unit_cost", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("reorder_point", BigInteger),
    # Whether what is available was at the reorder point, or below, when last seen.
    Column("low", Boolean, nullable=False, server_default="false"),
    Column(
        "changed_at", DateTime(timezone=True), nullable=False, server_default=_now()
    ),
    CheckConstraint("unit_cost >= 0", name="products_unit_cost"),
    CheckConstraint("reorder_point >= 0", name="products_reorder_point"),
)

locations = Table(
    "locations",
    metadata,
    Column("code", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("priority", BigInteger, nullable=False),
)

stock = Table(
    "stock",
    metadata,
    Column("sku", Text, ForeignKey(products.c.sku), nullable=False),
    Column("location", Text, ForeignKey(locations.c.code), nullable=False),
    _quantity("on_hand"),
    _quantity("reserved"),
    PrimaryKeyConstraint("sku", "location"),
    CheckConstraint("0 <= reserved AND reserved <= on_hand", name="stock_never_over"),
)

# Append-only: the migration's trigger refuses UPDATE, DELETE and TRUNCATE.
movements = Table(
    "movements",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False, server_default=_now()),
    Column("location", Text, nullable=False),
    Column("sku", Text, nullable=False),
    Column("on_hand_change", BigInteger, nullable=False),
    Column("reserved_change", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("actor", Text, nullable=False),
    CheckConstraint(
        "on_hand_change <> 0 OR reserved_change <> 0", name="movements_move"
    ),
    Index("movements_sku", "sku", "id"),
    Index("movements_reference", "reference", "id"),
)

receipts = Table(
    "receipts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("location", Text, ForeignKey(locations.c.code), nullable=False),
    Column("reference", Text),
    Column("actor", Text, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
)

receipt_lines = Table(
    "receipt_lines",
    metadata,
    Column("receipt_id", Uuid, ForeignKey(receipts.c.id), nullable=False),
    Column("line", Integer, nullable=False),
    Column("sku", Text, ForeignKey(products.c.sku), nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("unit_cost", BigInteger, nullable=False),
    Column("standard_cost", BigInteger, nullable=False),
    PrimaryKeyConstraint("receipt_id", "line"),
    CheckConstraint("quantity > 0", name="receipt_lines_quantity"),
    CheckConstraint("unit_cost >= 0", name="receipt_lines_unit_cost"),
)

# Append-only, as the movements are.
adjustments = Table(
    "adjustments",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("location", Text, ForeignKey(locations.c.code), nullable=False),
    Column("sku", Text, ForeignKey(products.c.sku), nullable=False),
    Column("delta", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("standard_cost", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("adjusted_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("delta <> 0", name="adjustments_delta"),
)

# The three below are written a batch at a time, and a foreign key between them would
# cost a third of the write; one transaction writes them, and nothing deletes them.
reservations = Table(
    "reservations",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    _quantity("version"),
    Column("state", Text, nullable=False, server_default="awaited"),
    Column("policy", Text),
    Column("placed_at", DateTime(timezone=True)),
    Column("cause", Text),
    Column(
        "changed_at", DateTime(timezone=True), nullable=False, server_default=_now()
    ),
    CheckConstraint("state IN ('awaited', 'open', 'closed')", name="reservation_state"),
    CheckConstraint(
        "state = 'awaited'"
        " OR (version > 0 AND policy IS NOT NULL AND placed_at IS NOT NULL"
        " AND cause IS NOT NULL)",
        name="reservation_known",
    ),
    Index("reservations_state", "state", "placed_at", "order_id"),
)

reservation_lines = Table(
    "reservation_lines",
    metadata,
    Column("order_id", Uuid, nullable=False),
    Column("line", Integer, nullable=False),
    Column("sku", Text, nullable=False),
    Column("requested", BigInteger, nullable=False),
    _quantity("voided"),
    _quantity("reserved"),
    _quantity("backordered"),
    _quantity("shipped"),
    _quantity("released"),
    _quantity("returned"),
    _quantity("cost_shipped"),
    _quantity("cost_returned"),
    Column("cost_currency", Text),
    # The order's own: who waits is found in the order of the waiting line.
    Column("placed_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("order_id", "line"),
    CheckConstraint(
        "requested > 0 AND voided >= 0 AND reserved >= 0 AND backordered >= 0"
        " AND shipped >= 0 AND released >= 0 AND returned >= 0"
        " AND cost_shipped >= 0 AND cost_returned >= 0",
        name="reservation_lines_not_negative",
    ),
    # What is left of `requested` was short.
    CheckConstraint(
        "voided + reserved + backordered + shipped + released <= requested",
        name="reservation_lines_add_up",
    ),
    CheckConstraint("returned <= shipped", name="reservation_lines_returned"),
    Index(
        "reservation_lines_waiting",
        "sku",
        "placed_at",
        "order_id",
        "line",
        postgresql_where=text("backordered > 0"),
    ),
    Index("reservation_lines_kept", "sku", postgresql_where=text("reserved > 0")),
)

allocations = Table(
    "allocations",
    metadata,
    Column("order_id", Uuid, nullable=False),
    Column("line", Integer, nullable=False),
    Column("location", Text, nullable=False),
    _quantity("reserved"),
    _quantity("shipped"),
    PrimaryKeyConstraint("order_id", "line", "location"),
    CheckConstraint("reserved >= 0 AND shipped >= 0", name="allocations_not_negative"),
)

# What happened to reservations: written once, in one transaction with what it did to
# them. Append-only, like movements. `number` counts an order's from 1.
cancellations = Table(
    "cancellations",
    metadata,
    Column("cancellation_id", Uuid, primary_key=True),
    Column("order_id", Uuid, ForeignKey(reservations.c.order_id), nullable=False),
    Column("number", Integer, nullable=False),
    Column(
        "answered_at", DateTime(timezone=True), nullable=False, server_default=_now()
    ),
    UniqueConstraint("order_id", "number", name="cancellations_number"),
)

cancellation_lines = Table(
    "cancellation_lines",
    metadata,
    Column(
        "cancellation_id",
        Uuid,
        ForeignKey(cancellations.c.cancellation_id),
        nullable=False,
    ),
    Column("line", Integer, nullable=False),
    Column("asked", BigInteger, nullable=False),
    Column("released", BigInteger, nullable=False),
    PrimaryKeyConstraint("cancellation_id", "line"),
    CheckConstraint(
        "asked > 0 AND 0 <= released AND released <= asked",
        name="cancellation_lines_released",
    ),
)

shipments = Table(
    "shipments",
    metadata,
    Column("shipment_id", Uuid, primary_key=True),
    Column("order_id", Uuid, ForeignKey(reservations.c.order_id), nullable=False),
    Column("number", Integer, nullable=False),
    Column("carrier", Text),
    Column("tracking", Text),
    Column("actor", Text, nullable=False),
    Column("shipped_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("order_id", "number", name="shipments_number"),
    CheckConstraint("number BETWEEN 1 AND 50", name="shipments_at_most"),
)

shipment_lines = Table(
    "shipment_lines",
    metadata,
    Column("shipment_id", Uuid, ForeignKey(shipments.c.shipment_id), nullable=False),
    Column("line", Integer, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("cost", BigInteger, nullable=False),
    PrimaryKeyConstraint("shipment_id", "line"),
    CheckConstraint("quantity > 0 AND cost >= 0", name="shipment_lines_quantity"),
)

return_receipts = Table(
    "return_receipts",
    metadata,
    Column("receipt_id", Uuid, primary_key=True),
    Column("order_id", Uuid, ForeignKey(reservations.c.order_id), nullable=False),
    Column("return_id", Uuid, nullable=False),
    Column("number", Integer, nullable=False),
    Column("location", Text, ForeignKey(locations.c.code), nullable=False),
    Column("actor", Text, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("order_id", "number", name="return_receipts_number"),
    CheckConstraint("number BETWEEN 1 AND 50", name="return_receipts_at_most"),
)

return_receipt_lines = Table(
    "return_receipt_lines",
    metadata,
    Column(
        "receipt_id", Uuid, ForeignKey(return_receipts.c.receipt_id), nullable=False
    ),
    Column("line", Integer, nullable=False),
    Column("condition", Text, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("cost", BigInteger, nullable=False),
    PrimaryKeyConstraint("receipt_id", "line", "condition"),
    CheckConstraint("quantity > 0 AND cost >= 0", name="return_receipt_lines_quantity"),
    CheckConstraint(
        "condition IN ('resellable', 'damaged')", name="return_receipt_lines_condition"
    ),
)

holds = Table(
    "holds",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("customer_id", Text),
    Column("actor", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="held"),
    Column("order_id", Uuid),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("held_at", DateTime(timezone=True), nullable=False, server_default=_now()),
    Column("ended_at", DateTime(timezone=True)),
    CheckConstraint(
        "status IN ('held', 'consumed', 'released', 'expired')", name="holds_status"
    ),
    CheckConstraint(
        "(status = 'consumed') = (order_id IS NOT NULL)", name="holds_consumed"
    ),
    CheckConstraint("(status = 'held') = (ended_at IS NULL)", name="holds_ended"),
    Index("holds_due", "expires_at", "id", postgresql_where=text("status = 'held'")),
)

hold_lines = Table(
    "hold_lines",
    metadata,
    Column("hold_id", Uuid, ForeignKey(holds.c.id), nullable=False),
    Column("line", Integer, nullable=False),
    Column("sku", Text, ForeignKey(products.c.sku), nullable=False),
    Column("quantity", BigInteger, nullable=False),
    PrimaryKeyConstraint("hold_id", "line"),
    CheckConstraint("quantity > 0", name="hold_lines_quantity"),
)

# What is kept now: the rows of a hold go when it ends.
hold_allocations = Table(
    "hold_allocations",
    metadata,
    Column("hold_id", Uuid, ForeignKey(holds.c.id), nullable=False),
    Column("sku", Text, nullable=False),
    Column("location", Text, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    PrimaryKeyConstraint("hold_id", "sku", "location"),
    CheckConstraint("reserved > 0", name="hold_allocations_reserved"),
)
