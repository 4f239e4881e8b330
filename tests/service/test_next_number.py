"""What `jrc pledge show` says of the numbers that a device's firmware has to go on from."""

from collections.abc import Iterator

import pytest

from jrc.service.examine import OnConflict
from jrc.service.pledges import PledgeDetails, show_pledge
from jrc.service.update import NUMBERS, reserve
from jrc.store.registry import StoreRegistry
from jrc.store.transaction import Transaction
from tests.desk import Desk, pledge_id
from tests.joining import Hall, hall_at
from tests.service.enrolling import add
from tests.service.recoveries import begins, enroll, joins, lose


@pytest.fixture
def hall(desk: Desk) -> Iterator[Hall]:
    """A registrar with the network ``lab``."""
    desk.network()
    with hall_at(desk) as hall:
        yield hall


def shown(hall: Hall) -> PledgeDetails:
    return hall.desk.read(lambda tx: show_pledge(tx, pledge_id(1)))


def told(hall: Hall) -> int:
    """Numbers are reserved for an update; the first that no update ever has."""

    def work(tx: Transaction) -> int:
        nodes = StoreRegistry(tx).nodes
        known = nodes.reach([1])[1]
        numbers, state = reserve(known.state, tx.now_ms, tx.now_ms, NUMBERS)
        nodes.save_told([(known.context_id, state, None)])
        return numbers.reserved

    return hall.desk.database.write(work, hall.desk.now_ms)


def test_b04_the_next_number_is_above_all_that_updates_may_have(hall: Hall) -> None:
    """RFC 8613 App. B.1.1: what is reserved counts as used; 0 before the first update."""
    pledge = enroll(hall, networks=("lab",), first=40)
    assert (-1, 0) == (shown(hall).highest_number, shown(hall).next_sender_number)
    joins(hall, pledge)
    reserved = told(hall)
    assert reserved > NUMBERS
    assert (40, reserved) == (shown(hall).highest_number, shown(hall).next_sender_number)


def test_b07_a_context_that_is_not_the_first_has_no_numbers_for_a_new_image(hall: Hall) -> None:
    """RFC 8613 App. B.2: lost, half way, and replaced, until there is another key."""
    pledge = enroll(hall, networks=("lab",))
    joins(hall, pledge)
    assert 0 == shown(hall).next_sender_number
    lose(hall)
    assert shown(hall).next_sender_number is None
    begins(hall, pledge)
    assert shown(hall).next_sender_number is None
    for _ in range(2):
        joins(hall, pledge)
        assert shown(hall).next_sender_number is None
    assert [(1,)] == hall.desk.sql("SELECT count(*) FROM context"), "the successor alone is left"
    add(hall.desk, 1, bytes.fromhex("6d1f9c0a73e84b52a9c7d0e15f3b8264"), OnConflict.REPLACE)
    assert 0 == shown(hall).next_sender_number


def test_n07_a_window_that_was_changed_past_jrc_says_no_number(hall: Hall) -> None:
    """It does not authenticate; nothing may be built from it."""
    joins(hall, enroll(hall, networks=("lab",)))
    hall.desk.sql("UPDATE context_state SET numbers_reserved = 7")
    assert shown(hall).next_sender_number is None
    assert shown(hall).damage is not None
