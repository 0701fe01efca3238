import uuid
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from chassis.ids import uuid5, uuid7


@given(st.uuids(), st.text())
def test_a_name_has_the_id_that_the_standard_library_gives_it(namespace, name):
    named = uuid5(namespace, name)

    assert named == uuid.uuid5(namespace, name)
    assert hash(named) == hash(uuid.uuid5(namespace, name))
    assert str(named) == str(uuid.uuid5(namespace, name))


def test_new_ids_are_in_the_order_of_time():
    made = [uuid7() for _ in range(1000)]

    assert {id_.version for id_ in made} == {7}
    assert all(earlier < later for earlier, later in pairwise(made))
