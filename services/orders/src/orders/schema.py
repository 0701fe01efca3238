"""The tables of Orders. What the domain promises, the database checks."""

from collections.abc import Iterable

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
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
    text,
)

from contracts.accounting import PaymentStatus
from contracts.orders import Channel, PaymentMethod, Policy
from orders.domain.orders import Attention, Status

metadata = MetaData()


def _one_of(column: str, words: Iterable[str]) -> CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=f"orders_{column}")


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
    Column("attention", Text),
    Column("version", BigInteger, nullable=False),
    Column("reservation_version", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("placed_at", DateTime(timezone=True), nullable=False),
    Column("decided_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    _one_of("channel", Channel),
    _one_of("policy", Policy),
    _one_of("status", Status),
    _one_of("attention", Attention),
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
)

# One payment, one order.
Index(
    "orders_payment_used",
    orders.c.payment_provider,
    orders.c.payment_reference,
    unique=True,
    postgresql_where=text("payment_provider IS NOT NULL"),
)

# No foreign key to orders: both are written by one transaction and never deleted, and
# checking it again would make placing 1.4 times as expensive.
order_lines = Table(
    "order_lines",
    metadata,
    Column("order_id", Uuid, nullable=False),
    Column("line", SmallInteger, nullable=False),
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
