from uuid import UUID

import pytest
import sqlalchemy as sa

from chassis.outbox import outbox, refusals
from sample.schema import heard, notes

A, B, C = (
    UUID(int=(first << 120) + (weight << 104))
    for first, weight in ((0x3F, 1), (0x3F, 2), (0xFF, 0))
)


@pytest.fixture
async def some_notes(database):
    async with database.begin() as tx:
        rows = [(A, "abc"), (B, "de"), (C, "f")]
        await tx.execute(
            sa.insert(notes), [{"id": id_, "text": text} for id_, text in rows]
        )
        await tx.execute(sa.insert(heard), [{"note_id": A}, {"note_id": C}])


async def digest(operator, **params):
    answer = await operator.get("digest", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def check(document, name):
    return next(check for check in document["checks"] if check["name"] == name)


@pytest.mark.usefixtures("some_notes")
async def test_orders_are_summed_up_by_the_first_byte_of_their_ids(operator):
    document = await digest(operator)

    assert document["totals"] == {"orders": 3, "figures": {"letters": 6, "heard": 2}}
    sums = {b["bucket"]: (b["orders"], b["figures"]) for b in document["buckets"]}
    assert sums == {
        "3f": (2, {"letters": 5, "heard": 1}),
        "ff": (1, {"letters": 1, "heard": 1}),
    }


@pytest.mark.usefixtures("some_notes")
async def test_differences_that_cancel_each_other_out_show_in_the_mixed_sums(
    operator, database
):
    before = (await digest(operator))["buckets"][0]
    async with database.begin() as tx:
        for id_, text in ((A, "ab"), (B, "def")):
            await tx.execute(sa.update(notes).filter_by(id=id_).values(text=text))

    after = (await digest(operator))["buckets"][0]

    assert before["figures"] == after["figures"]
    assert before["mixed"] != after["mixed"]


@pytest.mark.usefixtures("some_notes")
async def test_a_bucket_is_shown_order_by_order_in_pages(operator):
    first = await digest(operator, bucket="3f", limit=1)
    second = await digest(operator, bucket="3f", limit=1, cursor=first["next_cursor"])

    assert [*first["items"], *second["items"]] == [
        {"order_id": str(A), "figures": {"letters": 3, "heard": 1}},
        {"order_id": str(B), "figures": {"letters": 2, "heard": 0}},
    ]
    assert second["next_cursor"] is None


@pytest.mark.usefixtures("some_notes")
async def test_orders_are_shown_by_their_ids(operator):
    found = await digest(operator, order_id=[str(C), str(UUID(int=1))])

    assert [row["order_id"] for row in found["items"]] == [str(C)]


@pytest.mark.parametrize(
    "params", [{"bucket": "3F"}, {"bucket": "3"}, {"bucket": "g0"}, {"order_id": "x"}]
)
async def test_there_is_no_such_bucket_or_order(operator, params):
    assert (await operator.get("digest", params=params)).status_code == 422


@pytest.mark.usefixtures("some_notes")
async def test_a_check_names_what_offends_it(operator, database):
    assert check(await digest(operator), "heard_once")["holds"] is True
    async with database.begin() as tx:
        await tx.execute(sa.insert(heard).values(note_id=A))

    found = check(await digest(operator), "heard_once")

    assert found["holds"] is False
    (offender,) = found["offenders"]
    assert (offender["order_id"], offender["expected"], offender["actual"]) == (
        str(A),
        1,
        2,
    )


async def test_offenders_are_shown_up_to_a_bound(operator, database):
    rows = [{"note_id": UUID(int=n)} for n in range(25)] * 2
    async with database.begin() as tx:
        await tx.execute(sa.insert(heard), rows)

    found = check(await digest(operator), "heard_once")

    assert (len(found["offenders"]), found["more"]) == (20, True)


async def test_an_event_that_waits_too_long_is_an_offence(operator, database):
    async with database.begin() as tx:
        await tx.execute(
            sa.insert(outbox).values(
                id=A,
                type="t",
                subject="s",
                data={},
                time=sa.func.now() - sa.func.make_interval(0, 0, 0, 0, 0, 2),
            )
        )

    found = check(await digest(operator), "outbox_drained")

    assert [offender["actual"] for offender in found["offenders"]] == [1]


async def test_an_event_that_sns_refused_for_ever_is_an_offence(operator, database):
    async with database.begin() as tx:
        await tx.execute(sa.insert(outbox).values(id=A, type="t", subject="s", data={}))
        time = (await tx.execute(sa.select(outbox.c.time))).scalar_one()
        await tx.execute(
            sa.insert(refusals).values(event_id=A, time=time, reason="too large")
        )

    found = check(await digest(operator), "every_event_taken")

    assert [offender["what"] for offender in found["offenders"]] == ["t s"]
