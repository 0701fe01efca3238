import asyncio
from collections import Counter

from msgspec.structs import replace

from chassis.idempotency import KeyReused
from chassis.testing import statements_of
from contracts.orders import Channel, OrderPlaced
from orders.commands.placing import Answer, PaymentAlreadyUsed, Placed, place_orders
from orders.domain.orders import Order
from tests.orders.factories import a_line, an_order


def order_of(answer: Answer) -> Order:
    assert isinstance(answer, Placed)
    return answer.order


def kind(answer: Answer) -> object:
    if isinstance(answer, Placed):
        return "news" if answer.is_news else "replay"
    return type(answer)


async def test_placing_an_order_announces_it_as_its_first_fact(tx, published):
    order = an_order(a_line(1), a_line(2))

    (answer,) = await place_orders(tx, [order])

    assert kind(answer) == "news"
    (announced,) = await published()
    assert (announced.subject, announced.sequence) == (str(order.id), 1)
    placed = announced.data
    assert isinstance(placed, OrderPlaced)
    assert (placed.order_id, placed.number) == (order.id, order_of(answer).number)
    assert [(line.line, line.quantity) for line in placed.lines] == [(1, 2), (2, 2)]
    assert placed.ship_to.city == "Cork"
    assert placed.payment.captured == placed.total == order.total


async def test_a_batch_is_placed_and_announced_in_full(tx, published):
    orders = [an_order() for _ in range(50)]

    answers = await place_orders(tx, orders)

    assert [order_of(answer).id for answer in answers] == [order.id for order in orders]
    assert {announced.subject for announced in await published()} == {
        str(order.id) for order in orders
    }


async def test_an_order_placed_before_is_answered_as_it_is_now(tx, published):
    order = an_order()
    (first,) = await place_orders(tx, [order])

    (second,) = await place_orders(
        tx, [an_order(id=order.id, fingerprint=order.fingerprint)]
    )

    assert second == Placed(order_of(first), is_news=False)
    assert len(await published()) == 1


async def test_a_key_used_for_another_order_is_refused(tx):
    order = an_order()
    await place_orders(tx, [order])

    (answer,) = await place_orders(tx, [an_order(id=order.id)])

    assert isinstance(answer, KeyReused)


async def test_a_payment_used_for_another_order_is_refused(tx, published):
    order = an_order()
    await place_orders(tx, [order])

    answers = await place_orders(
        tx,
        [
            an_order(payment=order.payment),
            an_order(
                payment=order.payment, fingerprint=order.fingerprint, client="other"
            ),
        ],
    )

    assert [type(answer) for answer in answers] == [PaymentAlreadyUsed] * 2
    assert len(await published()) == 1


async def test_a_payment_sent_again_by_its_client_with_the_same_body_is_its_order(tx):
    order = an_order()
    (first,) = await place_orders(tx, [order])

    (second,) = await place_orders(
        tx, [an_order(payment=order.payment, fingerprint=order.fingerprint)]
    )

    assert second == Placed(order_of(first), is_news=False)


async def test_neighbours_in_a_batch_do_not_suffer(tx, published):
    earlier = an_order()
    await place_orders(tx, [earlier])
    good, better = an_order(), an_order()
    again = {"fingerprint": good.fingerprint, "payment": good.payment}

    answers = await place_orders(
        tx,
        [
            an_order(id=earlier.id),
            good,
            an_order(payment=earlier.payment),
            an_order(id=good.id, **again),
            an_order(id=good.id),
            an_order(id=good.id, **again),
            better,
        ],
    )

    assert [kind(answer) for answer in answers] == [
        KeyReused,
        "news",
        PaymentAlreadyUsed,
        "replay",
        KeyReused,
        "replay",
        "news",
    ]
    assert len(await published()) == 3


async def test_a_refused_attempt_leaves_its_key_to_the_next_in_the_batch(tx):
    earlier = an_order()
    await place_orders(tx, [earlier])
    refused = an_order(payment=earlier.payment)
    mended = an_order(id=refused.id)
    again = an_order(id=refused.id, payment=earlier.payment)

    answers = await place_orders(tx, [refused, mended, again])

    assert [kind(answer) for answer in answers] == [
        PaymentAlreadyUsed,
        "news",
        KeyReused,
    ]


async def test_one_payment_in_a_batch_pays_one_order(tx):
    order = an_order()
    rivals = [an_order(payment=order.payment) for _ in range(5)]

    answers = await place_orders(tx, [order, *rivals])

    kinds = sorted(str(kind(answer)) for answer in answers)
    assert kinds == [*[str(PaymentAlreadyUsed)] * 5, "news"]


async def test_repeats_in_a_batch_cost_no_further_statements(tx):
    order = an_order()
    async with statements_of(tx) as alone:
        await place_orders(tx, [an_order()])

    async with statements_of(tx) as repeated:
        answers = await place_orders(tx, [replace(order) for _ in range(50)])

    assert Counter(map(kind, answers)) == {"news": 1, "replay": 49}
    assert len(repeated) == len(alone) == 2


async def test_attempts_in_two_processes_at_once_are_one_order(database):
    orders = [an_order() for _ in range(20)]

    first, second = await asyncio.gather(
        database.transact(place_orders, orders),
        database.transact(place_orders, orders[::-1]),
    )

    assert [order_of(a) for a in first] == [order_of(a) for a in second[::-1]]
    kinds = Counter(kind(answer) for answer in (*first, *second))
    assert kinds == {"news": len(orders), "replay": len(orders)}


async def test_placing_again_after_an_unknown_outcome_changes_nothing(database):
    order = an_order()
    (first,) = await database.transact(place_orders, [order])

    (second,) = await database.transact(place_orders, [order])

    assert order_of(second) == order_of(first)


async def test_placed_orders_are_counted_by_channel_once(database, counted):
    orders = [an_order(), an_order(), an_order(channel=Channel.MOBILE)]

    await database.transact(place_orders, orders)
    await database.transact(place_orders, orders)

    assert counted()["orderly.orders.placed"] == {"web": 2, "mobile": 1}
