"""The tables of Orders. What the domain promises, the database checks."""

from collections.abc import Iterable

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Sequence,
    SmallInteger,
    Table,
    Text,
    Uuid,
    func,
    literal_column,
    or_,
    text,
)

from contracts.accounting import PaymentStatus
from contracts.orders import Channel, PaymentMethod, Policy
from orders.domain.batches import BatchStatus, RowStatus
from orders.domain.cancellations import CancellationStatus
from orders.domain.orders import OVERDUE, Status

metadata = MetaData()


def _one_of(
    column: str, words: Iterable[str], *, table: str = "orders"
) -> CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{table}_{column}")


def _counter(column: str) -> Column[int]:
    return Column(column, Integer, nullable=False, server_default="0")


order_number = Sequence("order_number", start=1_000_001, metadata=metadata)

orders = Table(
    "orders",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("client", Text, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column(
        "serial",
        BigInteger,
        order_number,
        server_default=order_number.next_value(),
        nullable=False,
    ),
    Column("parent_id", Uuid),
    Column("channel", Text, nullable=False),
    Column("customer_id", Text, nullable=False),
    Column("reference", Text),
    Column("currency", Text, nullable=False),
    Column("policy", Text, nullable=False),
    Column("shipping_price", BigInteger, nullable=False),
    Column("shipping_tax", BigInteger, nullable=False),
    Column("shipping_tax_rate", Text),
    Column("ship_to", JSON, nullable=False),
    Column("payment_method", Text, nullable=False),
    Column("payment_provider", Text),
    Column("payment_reference", Text),
    Column("payment_captured", BigInteger),
    Column("payment_net_days", Integer),
    Column("payment_status", Text, nullable=False),
    Column("payment_version", BigInteger, nullable=False),
    Column("hold_id", Uuid),
    Column("total", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("attention", Text),  # what is overdue: dead letters are counted
    _counter("events_stuck"),
    Column("version", BigInteger, nullable=False),
    Column("reservation_version", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("placed_at", DateTime(timezone=True), nullable=False),
    Column("decided_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("rescue_at", DateTime(timezone=True)),
    # How many of what Inventory lists were announced: its lists only grow.
    _counter("answers_announced"),
    _counter("shipments_announced"),
    _counter("receipts_announced"),
    _one_of("channel", Channel),
    _one_of("policy", Policy),
    _one_of("status", Status),
    _one_of("attention", OVERDUE),
    _one_of("payment_status", PaymentStatus),
    CheckConstraint(
        f"CASE payment_method"
        f" WHEN '{PaymentMethod.PREPAID}' THEN payment_provider IS NOT NULL"
        f" AND payment_reference IS NOT NULL AND payment_captured = total"
        f" AND payment_net_days IS NULL"
        f" WHEN '{PaymentMethod.TERMS}' THEN channel = '{Channel.WHOLESALE}'"
        f" AND payment_net_days IS NOT NULL AND payment_provider IS NULL"
        f" AND payment_reference IS NULL AND payment_captured IS NULL"
        f" ELSE false END",
        name="orders_payment",
    ),
    CheckConstraint("total >= 0", name="orders_total"),
    CheckConstraint(
        f"(status = '{Status.PLACED}') = (decided_at IS NULL)", name="orders_decided"
    ),
    CheckConstraint(
        "answers_announced >= 0 AND shipments_announced >= 0"
        " AND receipts_announced >= 0",
        name="orders_announced",
    ),
    CheckConstraint(
        "rescue_at IS NULL OR decided_at IS NULL", name="orders_rescue_undecided"
    ),
)

# One payment, one order.
Index(
    "orders_payment_used",
    orders.c.payment_provider,
    orders.c.payment_reference,
    unique=True,
    postgresql_where=text("payment_provider IS NOT NULL"),
)

# What is listed is listed newest first: each filter's index ends in that order, so that
# a page costs what is on it, however many orders there are.
_NEWEST = (orders.c.placed_at, orders.c.id)
Index("orders_newest", *_NEWEST)
Index("orders_by_status", orders.c.status, *_NEWEST)
Index("orders_by_channel", orders.c.channel, *_NEWEST)
Index("orders_by_customer", orders.c.customer_id, *_NEWEST)
Index(
    "orders_by_reference",
    orders.c.reference,
    *_NEWEST,
    postgresql_where=text("reference IS NOT NULL"),
)

# What people read to each other. No condition of its own: a sequence counts it.
Index("orders_by_serial", orders.c.serial)

# What somebody should look at: small, for nearly every order goes its way.
NEEDS_ATTENTION = or_(
    orders.c.attention.is_not(None), orders.c.events_stuck > literal_column("0")
)
Index(
    "orders_with_attention",
    *_NEWEST,
    postgresql_where=text("attention IS NOT NULL OR events_stuck > 0"),
)

# Dead letters about orders, in whosoever's queue. Those that were handled after all
# stay: older news of them is to change nothing.
dead_letters = Table(
    "dead_letters",
    metadata,
    Column("event_id", Uuid, nullable=False),
    Column("queue", Text, nullable=False),
    Column("order_id", Uuid, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("waits", Boolean, nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("event_id", "queue"),
)
Index(
    "dead_letters_waiting",
    dead_letters.c.order_id,
    postgresql_where=text("waits"),
)

# The watchdog's: small, for nearly every order is decided.
Index(
    "orders_undecided",
    orders.c.rescue_at,
    orders.c.placed_at,
    postgresql_where=text("decided_at IS NULL"),
)

# No foreign key to orders: both are written by one transaction and never deleted, and
# checking it again would make placing 1.4 times as expensive.
order_lines = Table(
    "order_lines",
    metadata,
    Column("order_id", Uuid, nullable=False),
    Column("line", SmallInteger, nullable=False),
    # The order's: here too, so that the orders with a SKU are listed by an index.
    Column(
        "placed_at",
        DateTime(timezone=True),
        server_default=text("now()"),
        nullable=False,
    ),
    Column("sku", Text, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("unit_price", BigInteger, nullable=False),
    Column("discount", BigInteger, nullable=False),
    Column("tax", BigInteger, nullable=False),
    Column("tax_rate", Text),
    Column("pending", Integer, nullable=False),
    Column("reserved", Integer, nullable=False),
    Column("backordered", Integer, nullable=False),
    Column("shipped", Integer, nullable=False),
    Column("cancelled", Integer, nullable=False),
    Column("returned", Integer, nullable=False),
    PrimaryKeyConstraint("order_id", "line"),
    CheckConstraint("quantity BETWEEN 1 AND 100000", name="order_lines_quantity"),
    CheckConstraint(
        "pending >= 0 AND reserved >= 0 AND backordered >= 0"
        " AND shipped >= 0 AND cancelled >= 0"
        " AND pending + reserved + backordered + shipped + cancelled = quantity",
        name="order_lines_units",
    ),
    CheckConstraint("returned BETWEEN 0 AND shipped", name="order_lines_returned"),
    CheckConstraint(
        "unit_price >= 0 AND tax >= 0"
        " AND discount BETWEEN 0 AND quantity::numeric * unit_price",
        name="order_lines_amounts",
    ),
)

Index(
    "order_lines_by_sku",
    order_lines.c.sku,
    order_lines.c.placed_at,
    order_lines.c.order_id,
)

cancellations = Table(
    "cancellations",
    metadata,
    Column("order_id", Uuid, ForeignKey("orders.id"), nullable=False),
    Column("id", Uuid, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text),
    Column("requested_at", DateTime(timezone=True), nullable=False),
    Column("decided_at", DateTime(timezone=True)),
    Column("rescue_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("order_id", "id"),
    _one_of("status", CancellationStatus, table="cancellations"),
    CheckConstraint(
        f"(status = '{CancellationStatus.REQUESTED}') = (decided_at IS NULL)",
        name="cancellations_decided",
    ),
    CheckConstraint(
        "rescue_at IS NULL OR decided_at IS NULL", name="cancellations_rescue_open"
    ),
)
Index(
    "cancellations_open",
    cancellations.c.rescue_at,
    cancellations.c.requested_at,
    postgresql_where=text("decided_at IS NULL"),
)

cancellation_lines = Table(
    "cancellation_lines",
    metadata,
    Column("order_id", Uuid, nullable=False),
    Column("cancellation_id", Uuid, nullable=False),
    Column("line", SmallInteger, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("cancelled", Integer, nullable=False),
    PrimaryKeyConstraint("order_id", "cancellation_id", "line"),
    ForeignKeyConstraint(
        ("order_id", "cancellation_id"), ("cancellations.order_id", "cancellations.id")
    ),
    CheckConstraint("quantity >= 1", name="cancellation_lines_quantity"),
    CheckConstraint(
        "cancelled BETWEEN 0 AND quantity", name="cancellation_lines_cancelled"
    ),
)

# What was never authorised has come all the same: then only `received_at` is known.
returns = Table(
    "returns",
    metadata,
    Column("order_id", Uuid, ForeignKey("orders.id"), nullable=False),
    Column("id", Uuid, nullable=False),
    Column("reason", Text),
    Column("authorised_at", DateTime(timezone=True)),
    Column("expires_at", DateTime(timezone=True)),
    Column("received_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("order_id", "id"),
    CheckConstraint(
        "CASE WHEN authorised_at IS NULL"
        " THEN expires_at IS NULL AND received_at IS NOT NULL"
        " ELSE expires_at IS NOT NULL AND expires_at > authorised_at END",
        name="returns_authorised",
    ),
)

return_lines = Table(
    "return_lines",
    metadata,
    Column("order_id", Uuid, nullable=False),
    Column("return_id", Uuid, nullable=False),
    Column("line", SmallInteger, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("received", Integer, nullable=False),
    PrimaryKeyConstraint("order_id", "return_id", "line"),
    ForeignKeyConstraint(("order_id", "return_id"), ("returns.order_id", "returns.id")),
    CheckConstraint(
        "quantity >= 0 AND received >= 0 AND quantity + received >= 1",
        name="return_lines_units",
    ),
)

# Of orders that were accepted while the database was away, and could not be placed.
refusals = Table(
    "refusals",
    metadata,
    Column("order_id", Uuid, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("client", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("detail", Text, nullable=False),
    # The payment has placed this order before, with the same content.
    Column("placed_as", Uuid),
    Column(
        "refused_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.now(),
    ),
    PrimaryKeyConstraint("order_id", "fingerprint"),
)

# Rows belong to an upload; it becomes a batch when its last row is in.
batch_uploads = Table(
    "batch_uploads",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column(
        "begun_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.now(),
    ),
)

batches = Table(
    "batches",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("upload_id", Uuid, nullable=False),
    Column("client", Text, nullable=False),
    Column("customer_id", Text),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("status", Text, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("placed", Integer, nullable=False),
    Column("replayed", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    _one_of("status", BatchStatus, table="batches"),
    CheckConstraint(
        "placed >= 0 AND replayed >= 0 AND failed >= 0"
        " AND placed + replayed + failed <= rows"
        f" AND (status = '{BatchStatus.COMPLETED}')"
        " = (placed + replayed + failed = rows)",
        name="batches_rows",
    ),
)
Index(
    "batches_running",
    batches.c.created_at,
    postgresql_where=text(f"status = '{BatchStatus.RUNNING}'"),
)

batch_rows = Table(
    "batch_rows",
    metadata,
    Column("upload_id", Uuid, nullable=False),
    Column("row", Integer, nullable=False),
    Column("idempotency_key", Text),
    Column("status", Text, nullable=False),
    # Until it is placed; then the order itself says more.
    Column("asked", JSON),
    Column("order_id", Uuid),
    Column("problem", JSON),
    PrimaryKeyConstraint("upload_id", "row"),
    _one_of("status", RowStatus, table="batch_rows"),
    CheckConstraint(
        f"(status = '{RowStatus.WAITING}') = (asked IS NOT NULL)",
        name="batch_rows_asked",
    ),
    CheckConstraint(
        f"(status = '{RowStatus.FAILED}') = (problem IS NOT NULL)",
        name="batch_rows_problem",
    ),
)
