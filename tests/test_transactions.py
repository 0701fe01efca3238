"""Every transaction has the places to die at, and none is opened in another way."""

from tests.flows.deaths import CARRIED, EVERYWHERE, HANDLING, READS, SELDOM, WRITES
from tests.transactions import ROOT, ways_around, works

# Who else opens connections: before a service serves, and to SQS and SNS.
OTHERS = {"chassis.migrations", "chassis.lifecycle: queues.connect"}


def test_make_deaths_knows_each_transaction_that_there_is():
    known = {*EVERYWHERE, *SELDOM, HANDLING, CARRIED, *READS}
    known |= {work for writes in WRITES.values() for work in writes}

    assert set(works()) == known


def test_what_is_done_seldom_dies_in_a_test_of_its_own():
    tests = "".join(path.read_text() for path in ROOT.glob("tests/*/test_dying.py"))

    assert [work for work in SELDOM if f'"{work}"' not in tests] == []


def test_only_the_one_place_with_the_failpoints_begins_and_commits():
    found = {
        way
        for way in ways_around()
        if way not in OTHERS and way.partition(":")[0] not in OTHERS
    }

    assert found == {
        "chassis.database: create_async_engine",
        "chassis.pool: self._engine.connect",
        "chassis.database: tx.sync_connection.begin",
        "chassis.database: driver.transaction",
        "chassis.database: COMMIT;",
        "chassis.database: tx.rollback",
        "chassis.database: self.begin",  # by `transact`, which has the places
    }
