"""Parameter Updates to nodes that have a context of RFC 8613 App. B.2 (rows B7, B8)."""

from collections.abc import Iterator

import pytest

from jrc.coap import update_message
from tests.joining import Hall, hall_at
from tests.service.office import Office, answered, unanswered
from tests.service.recoveries import Peer, begins, comes_back, enroll, joins, lose


@pytest.fixture
def hall(office: Office) -> Iterator[Hall]:
    """A registrar of the office."""
    with hall_at(office.desk) as opened:
        yield opened


def recovered(hall: Hall) -> Peer:
    """A node whose context is of a run, which nothing later has verified under."""
    node = enroll(hall)
    joins(hall, node)
    lose(hall)
    comes_back(hall, node)
    return node


def contexts(office: Office) -> int:
    return len(office.desk.sql("SELECT id FROM context"))


def test_b07_b08_an_update_goes_out_in_the_new_context(office: Office, hall: Hall) -> None:
    """RFC 9031 §8.2.1: its kid context is the ID Context as the node knows it, its number fresh."""
    node = recovered(hall)
    office.start()
    (update,) = office.turn().updates
    assert node.context.id_context == update.security.id_context
    assert update.numbers.first > 0
    message = update_message.protect(
        update.security, 7, b"\x01", 1, b"\xa0", None, with_kid_context=True, with_uri_host=True
    )
    assert message.datagram.count(node.context.id_context)


def test_b07_a_node_that_is_lost_is_told_nothing(office: Office, hall: Hall) -> None:
    """RFC 8613 App. B.2: nothing is protected under a lost context any more."""
    node = enroll(hall)
    joins(hall, node)
    lose(hall)
    office.start()
    assert () == office.turn().updates


def test_b07_an_answer_to_an_update_ends_the_old_context(office: Office, hall: Hall) -> None:
    """RFC 8613 App. B.2 step 5: it verifies under ID3 alone, so that the node has that."""
    recovered(hall)
    office.start()
    (update,) = office.turn().updates
    assert 2 == contexts(office)
    office.turn(answered(update))
    assert 1 == contexts(office)


def test_b07_silence_to_an_update_ends_nothing(office: Office, hall: Hall) -> None:
    """Row B7: response #2 may have been lost, and then the node has not got the new context."""
    recovered(hall)
    office.start()
    (update,) = office.turn().updates
    office.turn(unanswered(update))
    assert 2 == contexts(office)


def test_b07_a_late_answer_proves_nothing_of_a_later_context(office: Office, hall: Hall) -> None:
    """It verified under the context that it was sent under, which was lost meanwhile."""
    node = recovered(hall)
    lose(hall)
    office.desk.write(lambda tx: tx.recoveries.confirm(2))
    assert 2 == contexts(office)
    begins(hall, node)
    joins(hall, node)
    office.desk.write(lambda tx: tx.recoveries.confirm(99))
    assert 3 == contexts(office)
