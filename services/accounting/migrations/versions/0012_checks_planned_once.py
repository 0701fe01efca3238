"""What checks the books is planned once, and looks up the entries it is about.

To weigh postings, all entries were read where the planner thought them few; the day of
what is added was asked for by a statement that was planned anew each time. What is
refused is the same, so that the version before goes on with these.
"""

from alembic import op

revision = "0012"
down_revision = "0011"

REFUSE_UNBALANCED = """
CREATE OR REPLACE FUNCTION refuse_unbalanced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong uuid;
BEGIN
    SELECT added.entry_id INTO wrong
    FROM added
    GROUP BY added.entry_id, added.currency
    HAVING sum(added.debit) <> sum(added.credit) OR now() IS DISTINCT FROM (
        SELECT entries.posted_at FROM entries WHERE entries.id = added.entry_id
    )
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'entry % does not balance, or is not of this transaction', wrong
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
"""

# Each trigger has a plan of its own: only what is asked of its table is ever looked at.
REFUSE_CLOSED = """
CREATE OR REPLACE FUNCTION refuse_closed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    earliest date;
BEGIN
    IF TG_TABLE_NAME = 'entries' THEN
        SELECT min(effective_on) INTO earliest FROM added;
    ELSE
        SELECT min(issued_on) INTO earliest FROM added;
    END IF;
    IF earliest < first_open_day() THEN
        RAISE EXCEPTION '% on %: the period is closed', TG_TABLE_NAME, earliest
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.execute(REFUSE_UNBALANCED)
    op.execute(REFUSE_CLOSED)
