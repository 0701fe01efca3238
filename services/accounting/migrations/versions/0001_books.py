"""Order facts, the journal, documents and refunds."""

import sqlalchemy as sa
from alembic import op

from chassis.migrations import create_chassis_tables_1, make_append_only

revision = "0001"
down_revision = None

# Checks a whole INSERT at once, for a few microseconds an entry; a deferred constraint
# trigger would run once a row and double the cost of posting. As an entry's postings
# all come in its own transaction, it can never be unbalanced afterwards either.
REFUSE_UNBALANCED = """
CREATE FUNCTION refuse_unbalanced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong uuid;
BEGIN
    SELECT added.entry_id INTO wrong
    FROM added LEFT JOIN entries ON entries.id = added.entry_id
    GROUP BY added.entry_id, added.currency
    HAVING sum(added.debit) <> sum(added.credit)
        OR min(entries.posted_at) IS DISTINCT FROM now()
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'entry % does not balance, or is not of this transaction', wrong
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    create_chassis_tables_1(op)
    op.create_table(
        "order_cursors",
        sa.Column("order_id", sa.Uuid, primary_key=True),
        sa.Column("applied", sa.BigInteger, nullable=False, server_default="0"),
    )
    op.create_table(
        "parked_facts",
        sa.Column("order_id", sa.Uuid, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
        sa.Column(
            "parked_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("now()"),
        ),
        sa.PrimaryKeyConstraint("order_id", "sequence"),
    )
    op.create_table(
        "orders",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("number", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("customer_id", sa.Text, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("shipping_price", sa.BigInteger, nullable=False),
        sa.Column("shipping_tax", sa.BigInteger, nullable=False),
        sa.Column("shipping_tax_rate", sa.Text),
        sa.Column("payment_method", sa.Text, nullable=False),
        sa.Column("payment_provider", sa.Text),
        sa.Column("payment_reference", sa.Text),
        sa.Column("net_days", sa.Integer),
        sa.Column("ship_to", sa.JSON, nullable=False),
        sa.Column("placed_on", sa.Date, nullable=False),
        sa.Column("payment_version", sa.Integer, nullable=False),
        sa.Column("payment_status", sa.Text, nullable=False),
    )
    op.create_table(
        "order_lines",
        sa.Column("order_id", sa.Uuid, nullable=False),
        sa.Column("line", sa.SmallInteger, nullable=False),
        sa.Column("sku", sa.Text, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("unit_price", sa.BigInteger, nullable=False),
        sa.Column("discount", sa.BigInteger, nullable=False),
        sa.Column("tax", sa.BigInteger, nullable=False),
        sa.Column("tax_rate", sa.Text),
        sa.Column("short", sa.Integer, nullable=False),
        sa.Column("shipped", sa.Integer, nullable=False),
        sa.Column("cancelled", sa.Integer, nullable=False),
        sa.Column("returned", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("order_id", "line"),
        sa.CheckConstraint(
            "least(short, shipped, cancelled) >= 0"
            " AND short + shipped + cancelled <= quantity",
            name="order_lines_units",
        ),
        sa.CheckConstraint(
            "returned BETWEEN 0 AND shipped", name="order_lines_returned"
        ),
    )
    op.create_table(
        "entries",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("order_id", sa.Uuid),
        sa.Column("source_event_id", sa.Uuid, nullable=False),
        sa.Column("effective_on", sa.Date, nullable=False),
        sa.Column(
            "posted_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("now()"),
        ),
        sa.UniqueConstraint("source_event_id", "rule", name="entries_once"),
    )
    op.create_index("entries_in_order", "entries", ["effective_on", "id"])
    op.create_index("entries_of_order", "entries", ["order_id"])
    op.create_table(
        "postings",
        sa.Column("entry_id", sa.Uuid, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("debit", sa.BigInteger, nullable=False),
        sa.Column("credit", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("entry_id", "account", "currency"),
        sa.CheckConstraint(
            "least(debit, credit) = 0 AND greatest(debit, credit) > 0",
            name="postings_one_side",
        ),
    )
    op.create_table(
        "documents",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("series", sa.Text, nullable=False),
        sa.Column("number", sa.Text),
        sa.Column("order_id", sa.Uuid, nullable=False),
        sa.Column("source_event_id", sa.Uuid, nullable=False),
        sa.Column("customer_id", sa.Text, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("issued_on", sa.Date, nullable=False),
        sa.Column("due_on", sa.Date, nullable=False),
        sa.Column("lines", sa.JSON, nullable=False),
        sa.Column("taxes", sa.JSON, nullable=False),
        sa.Column("net", sa.BigInteger, nullable=False),
        sa.Column("tax", sa.BigInteger, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("paid", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("number", name="documents_number"),
        sa.CheckConstraint("net + tax = total", name="documents_add_up"),
    )
    op.create_index(
        "documents_unnumbered",
        "documents",
        ["id"],
        postgresql_where=sa.text("number IS NULL"),
    )
    op.create_index("documents_of_order", "documents", ["order_id"])
    op.create_index("documents_of_customer", "documents", ["customer_id", "id"])
    op.create_table(
        "document_series",
        sa.Column("series", sa.Text, nullable=False),
        sa.Column("year", sa.SmallInteger, nullable=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("series", "year"),
    )
    op.create_table(
        "refunds",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("order_id", sa.Uuid, nullable=False),
        sa.Column("source_event_id", sa.Uuid, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column(
            "requested_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("now()"),
        ),
        sa.CheckConstraint("amount > 0", name="refunds_amount"),
        sa.CheckConstraint(
            "status IN ('requested', 'settled', 'failed')", name="refunds_status"
        ),
    )
    op.create_index("refunds_of_order", "refunds", ["order_id"])
    op.create_index(
        "refunds_open",
        "refunds",
        ["id"],
        postgresql_where=sa.text("status = 'requested'"),
    )
    _guard_the_books()


def _guard_the_books() -> None:
    op.execute(REFUSE_UNBALANCED)
    op.execute(
        "CREATE TRIGGER balanced AFTER INSERT ON postings"
        " REFERENCING NEW TABLE AS added"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_unbalanced()"
    )
    make_append_only(op, "entries")
    make_append_only(op, "postings")
    make_append_only(op, "documents", but_for="UPDATE")  # they get their numbers later
