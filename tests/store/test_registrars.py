"""Two registrars on one database, each with contexts in memory: neither may trust them too far.

Memory is as good as a row read anew, for a row is written only as it was decided upon. Where that
fails, nothing of the transaction is left but the try that follows.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import IPv6Address
from typing import Any

import pytest

from jrc.cojp import oscore
from jrc.cojp.codec import decode_configuration
from jrc.cojp.constants import CoapCode
from jrc.cojp.message import Inner
from jrc.cojp.replay import ReplayWindow
from jrc.errors import ConflictError, Reason
from jrc.model import Profile, Secret, ShortIdRange
from jrc.service.applicants import Applicant
from jrc.service.batches import MAX_BATCH
from jrc.service.enroll import add_pledge, remove_pledge
from jrc.service.examine import OnConflict
from jrc.service.join import Outcome
from jrc.service.join_ports import ContextState, NodePlace, Standing
from jrc.service.networks import NetworkChanges, remove_network, set_network
from jrc.service.registry import Registry
from jrc.service.revoking import revoke_pledge
from jrc.store.database import Database
from tests.daemon.wire import OddPledge
from tests.desk import ACTOR, KEK, Desk, pledge_id
from tests.joining import JOIN, Hall, ciphertext, hall_at, lease_row, next_generation
from tests.service.fakes import PSK, lease

ONE = pledge_id(1).value
OPENWSN = Profile.OPENWSN
AS_6LBR = bytes.fromhex("a201010542cafe")


@pytest.fixture
def first(desk: Desk) -> Iterator[Hall]:
    """A registrar with a network."""
    desk.network()
    with hall_at(desk) as hall:
        yield hall


@pytest.fixture
def second(desk: Desk, first: Hall) -> Iterator[Hall]:
    """Another one, with a connection of its own to the same file."""
    database = Database.open(desk.url, KEK)
    with hall_at(desk, database) as hall:
        yield hall
    database.close()


def commits(hall: Hall) -> int:
    return hall.database.read_instance().commit_number


def enrolled(*halls: Hall, number: int = 1, **more: object) -> OddPledge:
    """A pledge that every one of them knows of."""
    pledge = halls[0].enroll(number, **more)
    for hall in halls[1:]:
        hall.contexts.learn([pledge_id(number).value])
    return pledge


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


def give_back(tx: Registry) -> None:
    tx.leases.release(1)
    tx.policy_changed()


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
        first.database.join(lambda joins: joins.save_lease(replace(lease(0x42), **change)), 0)
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


# An operator's change between intake and transaction


OTHER_PSK = bytes.fromhex("5b0e93c4d1f62a7788e4013bc95d6f20")
Change = Callable[[Desk], object]


def revoked(desk: Desk) -> None:
    desk.write(lambda tx: revoke_pledge(tx, pledge_id(1), actor=ACTOR))


def removed(desk: Desk) -> None:
    desk.write(lambda tx: remove_pledge(tx, pledge_id(1), actor=ACTOR))


def replaced(**more: Any) -> Change:
    """Enrolled again with another key, role, network or profile."""
    details = {"keys": Secret(PSK), "networks": ("lab",), "role": 1, **more}
    who = Applicant(identifier=pledge_id(1), **details)

    def change(desk: Desk) -> None:
        desk.write(lambda tx: add_pledge(tx, who, actor=ACTOR, on_conflict=OnConflict.REPLACE))

    return change


def network_removed(desk: Desk) -> None:
    desk.write(lambda tx: remove_network(tx, "lab", actor=ACTOR, agreed=True))


def network_changed(desk: Desk) -> None:
    changes = NetworkChanges(jrc_address=IPv6Address("2001:db8::9"))
    desk.write(lambda tx: set_network(tx, "lab", changes, actor=ACTOR, agreed=True))


def keys_changed(desk: Desk) -> None:
    next_generation(desk, retire=True)


@pytest.fixture(params=["its own", "another's"])
def asked(request: pytest.FixtureRequest, first: Hall, second: Hall) -> Hall:
    """The registrar with a request of pledge 1 in flight, and pledge and terms in memory.

    The operator's changes are made at ``first``.
    """
    first.desk.network("south", b"\x05", prefix="2001:db8:1::/64")
    hall = first if request.param == "its own" else second
    pledge = enrolled(first, second, key=PSK, role=1, networks=("lab",))
    hall.join(pledge, AS_6LBR)
    hall.device = pledge  # type: ignore[attr-defined]
    hall.take(pledge.request(AS_6LBR))
    assert 1 == len(hall.asks)
    return hall


@pytest.mark.parametrize("change", [revoked, removed, replaced(keys=Secret(OTHER_PSK))])
def test_m03_who_is_not_in_force_any_more_gets_silence(asked: Hall, change: Change) -> None:
    """RFC 9031 §9: from the instant at which the operator's change is on disk."""
    change(asked.desk)
    before = asked.row(), commits(asked)
    asked.commit()
    assert ({Reason.REVOKED: 1}, 1) == (asked.metrics.drops, len(asked.outbox.sent))
    assert before == (asked.row(), commits(asked))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (replaced(role=0), Reason.ROLE_NOT_GRANTED),
        (replaced(networks=("south",)), Reason.UNKNOWN_NETWORK),
        (network_removed, Reason.UNKNOWN_NETWORK),
    ],
)
def test_c06_c10_who_may_join_no_more_is_refused(
    asked: Hall, change: Change, reason: Reason
) -> None:
    """RFC 9031 §8.4.1: what memory has of the pledge, and terms of its kind, count no more."""
    change(asked.desk)
    asked.commit()
    assert ("", reason) == asked.metrics.answers[-1]
    assert CoapCode.BAD_REQUEST == opened(asked).code


@pytest.mark.parametrize("change", [network_changed, keys_changed, replaced(profile=OPENWSN)])
def test_c02_who_may_join_gets_what_holds_now(asked: Hall, change: Change) -> None:
    """RFC 9031 §8.4.2: keys, address and profile as the transaction finds them."""
    former = decode_configuration(opened(asked, 0).payload)
    change(asked.desk)
    asked.commit()
    told = decode_configuration(opened(asked).payload)
    assert (change is keys_changed) is (former.keys != told.keys)
    assert (change is network_changed) is (told.jrc_address is not None)
    assert (change in (network_changed, keys_changed)) is (told.short_identifier is not None)


def opened(hall: Hall, number: int = -1) -> Inner:
    """What one of the two answers says; the pledge's last request has number 1."""
    device: OddPledge = hall.device  # type: ignore[attr-defined]
    device.partial_iv = oscore.encode_piv(number % 2)
    return device.open(hall.outbox.sent[number][0])
