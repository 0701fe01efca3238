from contracts.topology import TOPOLOGY

SERVICES = ("orders", "inventory", "accounting")


def test_each_service_announces_on_its_own_topic():
    assert {topic.name for topic in TOPOLOGY.topics} == {
        f"orderly-{service}" for service in SERVICES
    }


def test_a_queue_says_who_hears_whom():
    for queue in TOPOLOGY.queues:
        if queue.hears:
            speaker = queue.hears.name.removeprefix("orderly-")
            assert queue.name == f"orderly-{queue.owner}-from-{speaker}"
            assert speaker != queue.owner


def test_no_two_queues_have_the_same_name():
    names = [name for q in TOPOLOGY.queues for name in (q.name, q.dead_letters)]

    assert len(set(names)) == len(names)


def test_every_topic_is_heard():
    assert {queue.hears for queue in TOPOLOGY.queues} >= set(TOPOLOGY.topics)
