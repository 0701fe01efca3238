"""Months that are closed take no postings; what they came to is kept."""

import sqlalchemy as sa
from alembic import op

from chassis.migrations import make_append_only

revision = "0004"
down_revision = "0003"

# Who posts holds the periods, shared, until its commit; who closes one holds them
# alone. So none is closed while a posting is under way, and who waited here sees what
# was closed meanwhile: a volatile function looks anew with each of its statements.
FIRST_OPEN_DAY = """
CREATE FUNCTION first_open_day() RETURNS date LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext('periods'));
    RETURN (
        SELECT coalesce(max(month) + interval '1 month', '0001-01-01')::date
        FROM closed_periods
    );
END $$
"""

REFUSE_CLOSED = """
CREATE FUNCTION refuse_closed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    earliest date;
BEGIN
    EXECUTE format('SELECT min(%I) FROM added', TG_ARGV[0]) INTO earliest;
    IF earliest < first_open_day() THEN
        RAISE EXCEPTION '% on %: the period is closed', TG_TABLE_NAME, earliest
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "closed_periods",
        sa.Column("month", sa.Date, primary_key=True),
        sa.Column(
            "closed_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("now()"),
        ),
        sa.Column("closed_by", sa.Text, nullable=False),
        sa.CheckConstraint("extract(day FROM month) = 1", name="closed_periods_month"),
    )
    op.create_table(
        "period_balances",
        sa.Column("month", sa.Date, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("debit", sa.BigInteger, nullable=False),
        sa.Column("credit", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("month", "account", "currency"),
    )
    op.add_column("entries", sa.Column("refers_to", sa.Date))
    op.create_check_constraint(
        "entries_refer_back", "entries", "refers_to < effective_on"
    )
    op.create_index("documents_in_order", "documents", ["issued_on", "id"])
    op.create_index(
        "documents_open",
        "documents",
        ["id"],
        postgresql_where=sa.text("total > paid + credited"),
    )
    _close_the_books()


def _close_the_books() -> None:
    make_append_only(op, "closed_periods")
    make_append_only(op, "period_balances")
    op.execute(FIRST_OPEN_DAY)
    op.execute(REFUSE_CLOSED)
    for table, day in (("entries", "effective_on"), ("documents", "issued_on")):
        op.execute(
            f"CREATE TRIGGER in_an_open_period AFTER INSERT ON {table}"
            " REFERENCING NEW TABLE AS added"
            f" FOR EACH STATEMENT EXECUTE FUNCTION refuse_closed('{day}')"
        )
