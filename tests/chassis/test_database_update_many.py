from uuid import uuid4

from sqlalchemy import select

from chassis.database import changes_of, columns_of, insert_many, update_many
from sample.schema import notes

INSERT = insert_many(notes, "id", "text")
UPDATE = update_many(notes, ("id",), ("text",))


async def test_many_rows_take_their_own_values_in_one_statement(tx):
    rows = [{"id": uuid4(), "text": f"{number}"} for number in range(3)]
    await tx.execute(INSERT, columns_of(rows, ("id", "text")))
    changed = [row | {"text": f"changed {row['text']}"} for row in rows[:2]]

    await tx.execute(UPDATE, changes_of(changed, ("id", "text")))

    texts = (await tx.execute(select(notes.c.text).order_by(notes.c.text))).scalars()
    assert list(texts) == ["2", "changed 0", "changed 1"]
