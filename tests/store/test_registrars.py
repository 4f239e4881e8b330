"""Two registrars on one database, each with contexts in memory: neither may trust them too far.

Memory is as good as a row read anew, for a row is written only as it was decided upon. Where that
fails, nothing of the transaction is left but the try that follows.
"""

from collections.abc import Callable
from typing import Any

import pytest

from jrc.cojp.codec import decode_configuration
from jrc.cojp.replay import ReplayWindow
from jrc.errors import ConflictError, Reason
from jrc.model import ShortIdRange
from jrc.service.batches import MAX_BATCH
from jrc.service.join import Outcome
from jrc.service.join_ports import ContextState, NodePlace, Standing
from jrc.store.database import Database
from tests.desk import KEK, Desk, pledge_id
from tests.joining import JOIN, Hall, ciphertext, give_back, hall_at, lease_row, next_generation
from tests.service.fakes import lease
from tests.store.two_registrars import commits, enrolled

ONE = pledge_id(1).value


def answers_of(outcomes: list[Outcome]) -> list[bytes]:
    """What a try has encrypted."""
    states = [outcome.state for outcome in outcomes]
    return [state.answer for state in states if state is not None and state.answer is not None]


def sent_by(*halls: Hall) -> list[bytes]:
    return [ciphertext(datagram) for hall in halls for datagram, _ in hall.outbox.sent]


def stale(hall: Hall, kid_context: bytes, standing: Standing) -> None:
    """Let a registrar's memory have another standing, and the state as it is on disk."""
    (known,) = hall.contexts.find(kid_context)
    hall.contexts.keep([known])
    known.standing = standing


def always(number: int) -> Callable[[int], bytes]:
    """A chance that gives one value only."""
    return lambda count: (number.to_bytes(2) * count)[:count]


# The replay window


@pytest.mark.parametrize("used", [True, False])
def test_b03_the_second_of_two_registrars_fails_and_reads_anew(
    first: Hall, second: Hall, used: bool
) -> None:
    """RFC 9031 §7.3.1: a used number gets silence then, and a fresh one its answer."""
    pledge = enrolled(first, second)
    request = pledge.request(JOIN)
    other = request if used else pledge.request(JOIN)
    first.take(request)
    second.take(other)
    first.commit()
    before = commits(first), first.row()
    asks = list(second.asks)
    with pytest.raises(ConflictError, match="meanwhile"):
        second.database.join(lambda joins: second.decide(joins, asks, 0), 0)
    assert before == (commits(first), first.row())
    second.commit()
    if used:
        assert ({Reason.REPLAYED: 1}, []) == (second.metrics.drops, second.outbox.sent)
        assert before == (commits(first), first.row())
    else:
        assert decode_configuration(pledge.open(second.outbox.sent[0][0]).payload).keys
        assert (1, 0b11, 3) == (*first.row()[1:3], first.row()[-2])
        assert [(1,)] == first.desk.sql("SELECT count(*) FROM short_identifier")
    assert not second.writer.is_computing


@pytest.mark.parametrize("used", [True, False])
def test_b05_only_what_was_committed_ever_leaves(first: Hall, second: Hall, used: bool) -> None:
    """RFC 8613 §5.2: tries encrypt other plaintexts under one nonce; all but one are gone."""
    pledge = enrolled(first, second)
    first.database.random, second.database.random = always(0x0111), always(0x0222)
    request = pledge.request(JOIN)
    first.take(request)
    second.take(request if used else pledge.request(JOIN))
    first.commit()
    second.commit()
    failed, committed = second.tries
    (lost,) = answers_of(failed)
    assert lost not in answers_of(committed), "it had another short identifier in it"
    assert lost not in sent_by(first, second)
    assert lost not in answers_of(second.made_known)
    assert (1 if used else 2) == len(set(sent_by(first, second)))
    assert sent_by(first, second)[-1] == first.row()[6]
    assert [(0x0112,)] == first.desk.sql("SELECT value FROM short_identifier")


def test_b03_registrars_that_take_turns_answer_each_number_once(first: Hall, second: Hall) -> None:
    """RFC 9031 §7.3.1: whoever is asked, and whatever the other has in memory."""
    pledge = enrolled(first, second)
    requests = [pledge.request(JOIN) for _ in range(12)]
    for number, request in enumerate(requests):
        halls = (first, second) if number % 3 else (second, first)
        for hall in halls:
            hall.take(request)
        for hall in halls:
            hall.commit()
    assert 12 == len(sent_by(first, second)) == len(set(sent_by(first, second)))
    assert (11, (1 << 12) - 1, 13) == (*first.row()[1:3], first.row()[-2])
    for request in requests[:-1]:
        assert [None, None] == [hall.ask(request) for hall in (first, second)]
    assert 12 == len(sent_by(first, second))


@pytest.mark.parametrize("used", [True, False])
def test_m02_one_conflict_of_a_batch_costs_one_more_try(
    first: Hall, second: Hall, used: bool
) -> None:
    """The others are answered in the same turn, by one commit and not one each."""
    pledges = [enrolled(first, second, number=number) for number in range(1, MAX_BATCH + 1)]
    for pledge in pledges:
        second.join(pledge)
    second.tries.clear()
    second.outbox.sent.clear()
    requests = [pledge.request(JOIN) for pledge in pledges]
    assert first.ask(requests[30] if used else pledges[30].request(JOIN)) is not None
    second.take(*requests)
    before = commits(first)
    second.commit()
    expected = MAX_BATCH - used
    assert (expected, before + 1) == (len(second.outbox.sent), commits(first))
    assert [MAX_BATCH, MAX_BATCH] == [len(outcomes) for outcomes in second.tries]
    assert ({Reason.REPLAYED: 1} if used else {}) == second.metrics.drops
    assert MAX_BATCH == first.desk.sql("SELECT count(*) FROM short_identifier")[0][0]


def test_a_batch_without_a_conflict_is_one_try(first: Hall) -> None:
    """What is in memory is not read again: a transaction of rejoins reads no context."""
    pledges = [enrolled(first, number=number) for number in range(1, 9)]
    for pledge in pledges:
        first.join(pledge)
    first.tries.clear()
    first.take(*(pledge.request(JOIN) for pledge in pledges))
    before = commits(first)
    first.commit()
    assert (before + 1, 1, 16) == (commits(first), len(first.tries), len(first.outbox.sent))
    assert all(outcome.stale is False for outcome in first.tries[0])


# Short identifiers


@pytest.mark.parametrize("joins", [1, 2, 3])
def test_f02_an_identifier_given_on_is_not_taken_back_by_a_stale_context(
    desk: Desk, joins: int
) -> None:
    """RFC 9031 §8.4.4.1: whatever version its row has under its new holder."""
    desk.network(short_ids=ShortIdRange(0x10, 0x11), lease_hours=3)
    database = Database.open(desk.url, KEK)
    with hall_at(desk) as first, hall_at(desk, database) as second:
        old, new = enrolled(first, second), enrolled(first, second, number=2)
        value = first.short_id(old)
        desk.write(give_back)
        next_generation(desk, retire=True)
        (known,) = second.contexts.find(ONE)
        second.contexts.keep([known])
        assert (True, 2) == (known.standing.leases[0].released, known.standing.leases[0].version)
        first.database.random = always(value)
        assert [value] * joins == [first.short_id(new) for _ in range(joins)]
        second.tries.clear()
        assert value != second.short_id(old)
        assert 2 == len(second.tries)
        assert [(2, value, joins), (1, 0x21 - value, 1)] == desk.sql(
            "SELECT pledge_id, value, version FROM short_identifier ORDER BY pledge_id DESC"
        )
    database.close()


@pytest.mark.parametrize(
    "change",
    [{"pledge_id": 2, "version": 2}, {"version": 3}, {"version": 9}, {"value": 0x43, "version": 2}],
)
def test_f02_an_identifier_is_written_only_as_it_was_decided_upon(
    first: Hall, change: dict[str, Any]
) -> None:
    """RFC 9031 §8.4.4.1: its holder and its version are part of what must not have changed."""
    enrolled(first)
    enrolled(first, number=2)
    lease_row(first.desk, 0x42, 1, 1, released=False)
    before = first.desk.sql("SELECT * FROM short_identifier"), commits(first)
    with pytest.raises(ConflictError, match="meanwhile"):
        first.database.join(lambda joins: joins.save_lease(lease(0x42)._replace(**change)), 0)
    assert before == (first.desk.sql("SELECT * FROM short_identifier"), commits(first))


@pytest.mark.parametrize("version", [1, 3, 9])
def test_b03_a_window_is_written_only_over_the_version_before(first: Hall, version: int) -> None:
    """RFC 9031 §7.3.1: the row of a new context has version 1, so that its next one is 2."""
    enrolled(first)
    before = first.row(), commits(first)
    state = ContextState(version, ReplayWindow(5, 1))
    with pytest.raises(ConflictError, match="meanwhile"):
        first.database.join(lambda joins: joins.save_state(1, state), 0)
    assert before == (first.row(), commits(first))
    first.database.join(lambda joins: joins.save_state(1, state._replace(version=2)), 0)
    assert 5 == first.row()[1]


# Standing


def with_lease_alone(known: Standing) -> Standing:
    return Standing(known.leases, None)


def with_place_alone(known: Standing) -> Standing:
    return Standing((), known.place)


def with_nothing(_: Standing) -> Standing:
    return Standing()


@pytest.mark.parametrize("forget", [with_nothing, with_lease_alone, with_place_alone])
def test_f05_a_lease_or_place_that_memory_has_not_ends_in_one_row(
    first: Hall, second: Hall, forget: Callable[[Standing], Standing]
) -> None:
    """RFC 9031 §8.4.4.1: and in an answer, for the pledge and for the others of its batch."""
    pledge, other = enrolled(first, second), enrolled(first, second, number=2)
    value = first.short_id(pledge)
    (known,) = first.lookup.find(ONE)
    stale(second, ONE, forget(known.standing))
    second.take(pledge.request(JOIN), other.request(JOIN))
    before = commits(first)
    second.commit()
    assert (before + 1, 2, {}) == (commits(first), len(second.tries), second.metrics.drops)
    told = decode_configuration(pledge.open(second.outbox.sent[0][0]).payload).short_identifier
    assert told is not None
    assert value == int.from_bytes(told.identifier)
    assert [(1, value)] == first.desk.sql(
        "SELECT pledge_id, value FROM short_identifier WHERE pledge_id = 1"
    )
    assert [(1, 1, 0, 1), (2, 1, 0, 1)] == first.desk.sql(
        "SELECT pledge_id, network_id, role, generation_id FROM node ORDER BY 1"
    )


@pytest.mark.parametrize("place", [NodePlace(1, 1, 1), NodePlace(7, 0, 1), NodePlace(1, 0, 9)])
def test_a_place_that_has_changed_is_written_over(
    first: Hall, second: Hall, place: NodePlace
) -> None:
    """Where the pledge has joined last, with which keys, counts."""
    pledge = enrolled(first, second)
    first.join(pledge)
    stale(second, ONE, first.lookup.find(ONE)[0].standing._replace(place=place))
    second.join(pledge)
    assert [(1, 1, 0, 1)] == first.desk.sql(
        "SELECT pledge_id, network_id, role, generation_id FROM node"
    )


def test_a_place_that_is_gone_is_made_again(first: Hall, second: Hall) -> None:
    """An UPDATE that changes no row is no answer without a place."""
    pledge = enrolled(first, second)
    first.join(pledge)
    (known,) = first.lookup.find(ONE)
    first.desk.sql("DELETE FROM node")
    stale(second, ONE, known.standing._replace(place=NodePlace(1, 0, 77)))
    second.join(pledge)
    assert [(1, 1)] == first.desk.sql("SELECT pledge_id, generation_id FROM node")
