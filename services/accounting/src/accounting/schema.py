"""The tables. What must always be true of a row, the row's own checks say."""

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()

# Whoever applies facts of an order holds its cursor: `applied` of them, without a gap.
order_cursors = Table(
    "order_cursors",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("applied", BigInteger, nullable=False, server_default="0"),
)

# Facts that came before their turn, and, with its reason, one that cannot be entered
# now that its turn has come: its message is long gone, so it is put aside from here.
parked_facts = Table(
    "parked_facts",
    metadata,
    Column("order_id", Uuid, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("event_id", Uuid, nullable=False),
    Column("type", Text, nullable=False),
    Column("time", DateTime(timezone=True), nullable=False),
    Column("data", JSON, nullable=False),
    Column(
        "parked_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=text("now()"),
    ),
    Column("traceparent", Text),
    Column("refused", Text),
    Column("put_aside_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("order_id", "sequence"),
)

# Orders whose next fact did not arrive, and how often Orders was asked for it.
gaps = Table(
    "gaps",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("from_sequence", BigInteger, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("asked", Integer, nullable=False),
    Column("asked_at", DateTime(timezone=True), nullable=False),
)

orders = Table(
    "orders",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("number", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("customer_id", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("shipping_price", BigInteger, nullable=False),
    Column("shipping_tax", BigInteger, nullable=False),
    Column("shipping_tax_rate", Text),
    Column("payment_method", Text, nullable=False),
    Column("payment_provider", Text),
    Column("payment_reference", Text),
    Column("net_days", Integer),
    Column("ship_to", JSON, nullable=False),
    Column("placed_on", Date, nullable=False),
    Column("payment_version", Integer, nullable=False),
    Column("payment_status", Text, nullable=False),
    Column("stage", Text, nullable=False, server_default="placed"),
    Column("invoiced", BigInteger, nullable=False, server_default="0"),
    Column("credited", BigInteger, nullable=False, server_default="0"),
    Column("paid", BigInteger, nullable=False, server_default="0"),
    Column("to_refund", BigInteger, nullable=False, server_default="0"),
    Column("refunded", BigInteger, nullable=False, server_default="0"),
)

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
    Column("short", Integer, nullable=False),
    Column("shipped", Integer, nullable=False),
    Column("cancelled", Integer, nullable=False),
    Column("returned", Integer, nullable=False),
    Column("shipped_runs", JSON, nullable=False, server_default="[]"),
    PrimaryKeyConstraint("order_id", "line"),
    CheckConstraint(
        "least(short, shipped, cancelled) >= 0"
        " AND short + shipped + cancelled <= quantity",
        name="order_lines_units",
    ),
    CheckConstraint("returned BETWEEN 0 AND shipped", name="order_lines_returned"),
)

# The journal. It only grows: triggers refuse everything else, and an INSERT into
# postings whose entries it leaves unbalanced (see the migration that makes them).
entries = Table(
    "entries",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("order_id", Uuid),
    Column("source_event_id", Uuid, nullable=False),
    Column("effective_on", Date, nullable=False),
    Column("refers_to", Date),  # when it happened, if that period was closed by then
    Column(
        "posted_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=text("now()"),
    ),
    UniqueConstraint("source_event_id", "rule", name="entries_once"),
    CheckConstraint("refers_to < effective_on", name="entries_refer_back"),
    Index("entries_in_order", "effective_on", "id"),
    Index("entries_of_order", "order_id"),
)

postings = Table(
    "postings",
    metadata,
    Column("entry_id", Uuid, nullable=False),
    Column("account", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("debit", BigInteger, nullable=False),
    Column("credit", BigInteger, nullable=False),
    PrimaryKeyConstraint("entry_id", "account", "currency"),
    CheckConstraint(
        "least(debit, credit) = 0 AND greatest(debit, credit) > 0",
        name="postings_one_side",
    ),
)

# Whose documents these are, as it was when they got their numbers. It only grows.
sellers = Table(
    "sellers",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("details", JSONB, nullable=False),
)

documents = Table(
    "documents",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("series", Text, nullable=False),
    Column("number", Text),
    Column("order_id", Uuid, nullable=False),
    Column("source_event_id", Uuid, nullable=False),
    Column("customer_id", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("issued_on", Date, nullable=False),
    Column("due_on", Date, nullable=False),
    Column("lines", JSON, nullable=False),
    Column("taxes", JSON, nullable=False),
    Column("net", BigInteger, nullable=False),
    Column("tax", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("paid", BigInteger, nullable=False),
    # Of an invoice: by credit notes. Of a credit note: on invoices of its order.
    Column("credited", BigInteger, nullable=False, server_default="0"),
    # Of `sellers`, as it only grows; those numbered before they were kept have none.
    Column("seller_id", BigInteger),
    Column("traceparent", Text),  # of what it is for: announced later, it goes on
    UniqueConstraint("number", name="documents_number"),
    CheckConstraint("net + tax = total", name="documents_add_up"),
    CheckConstraint(
        "least(paid, credited) >= 0 AND paid + credited <= total",
        name="documents_settled",
    ),
    Index("documents_unnumbered", "id", postgresql_where=text("number IS NULL")),
    Index("documents_of_order", "order_id"),
    # Lists have it when it has its number: written again then, it is in this one once.
    Index(
        "documents_by_customer",
        "customer_id",
        "id",
        postgresql_where=text("number IS NOT NULL"),
    ),
    Index("documents_in_order", "issued_on", "id"),
    Index("documents_open", "id", postgresql_where=text("total > paid + credited")),
)

# Months that take no entries or documents any more: triggers refuse them.
closed_periods = Table(
    "closed_periods",
    metadata,
    Column("month", Date, primary_key=True),
    Column(
        "closed_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=text("now()"),
    ),
    Column("closed_by", Text, nullable=False),
    CheckConstraint("extract(day FROM month) = 1", name="closed_periods_month"),
)

# What each account came to at the end of a closed month, from the beginning on.
period_balances = Table(
    "period_balances",
    metadata,
    Column("month", Date, nullable=False),
    Column("account", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("debit", BigInteger, nullable=False),
    Column("credit", BigInteger, nullable=False),
    PrimaryKeyConstraint("month", "account", "currency"),
)

document_series = Table(
    "document_series",
    metadata,
    Column("series", Text, nullable=False),
    Column("year", SmallInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    PrimaryKeyConstraint("series", "year"),
)

refunds = Table(
    "refunds",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("source_event_id", Uuid, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column(
        "requested_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=text("now()"),
    ),
    Column("settled_at", DateTime(timezone=True)),
    Column("failure", Text),
    CheckConstraint("amount > 0", name="refunds_amount"),
    CheckConstraint(
        "status IN ('requested', 'settled', 'failed')", name="refunds_status"
    ),
    Index("refunds_of_order", "order_id"),
    Index("refunds_open", "id", postgresql_where=text("status = 'requested'")),
)

# What the gateway reported, for ever: it may report a thing twice, however late.
gateway_events = Table(
    "gateway_events",
    metadata,
    Column("id", Text, primary_key=True),
    Column("type", Text, nullable=False),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    Column("data", JSON, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column(
        "received_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=text("now()"),
    ),
)

# Of customers on terms. What is not allocated to an invoice stays to their credit.
payments = Table(
    "payments",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("customer_id", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("received_on", Date, nullable=False),
    Column("unallocated", BigInteger, nullable=False),
    CheckConstraint(
        "amount > 0 AND unallocated BETWEEN 0 AND amount", name="payments_amount"
    ),
    Index("payments_of_customer", "customer_id", "id"),
)

payment_allocations = Table(
    "payment_allocations",
    metadata,
    Column("payment_id", Uuid, nullable=False),
    Column("document_id", Uuid, nullable=False),
    Column("place", SmallInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    PrimaryKeyConstraint("payment_id", "document_id"),
    CheckConstraint("amount >= 0", name="payment_allocations_amount"),
)
