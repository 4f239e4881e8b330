"""What the loop reads: contexts, stored answers, kid contexts; always as committed last."""

from collections.abc import Iterator

import pytest

from jrc.errors import OperatorError, StoreError
from jrc.model import PledgeState, Profile
from jrc.service.enroll import remove_pledge
from jrc.service.join_ports import NodePlace, Standing
from jrc.service.revoking import restore_pledge, revoke_pledge
from jrc.store.context_rows import state_from_values, state_values
from tests.desk import Desk, pledge_id
from tests.joining import JOIN, Hall, hall_at, next_generation

ONE = pledge_id(1).value


@pytest.fixture
def hall(desk: Desk) -> Iterator[Hall]:
    """A registrar with a network and a pledge."""
    desk.network()
    with hall_at(desk) as hall:
        hall.device = hall.enroll(1)  # type: ignore[attr-defined]
        yield hall


def test_a_commit_is_seen_by_the_next_read(hall: Hall) -> None:
    """The reader keeps no snapshot: a revocation counts from the instant it is on disk."""
    assert PledgeState.PROVISIONED is hall.lookup.find(ONE)[0].pledge.state
    hall.act(revoke_pledge)
    assert PledgeState.REVOKED is hall.lookup.find(ONE)[0].pledge.state
    hall.act(restore_pledge)
    assert PledgeState.PROVISIONED is hall.lookup.find(ONE)[0].pledge.state
    hall.act(remove_pledge)
    assert [] == hall.lookup.find(ONE)


def test_every_kind_of_read_sees_the_last_commit(hall: Hall) -> None:
    """Also after the filter was filled, whose read goes on in pieces."""
    for number in range(2, 6):
        assert {*map(str, map(pledge_id, range(1, number)))} == {
            kid.hex() for kid in hall.lookup.kid_contexts()
        }
        hall.enroll(number)
    assert 0 == hall.lookup.find(ONE)[0].state.window.highest + 1
    hall.join(hall.device)  # type: ignore[attr-defined]
    assert 0 == hall.lookup.find(ONE)[0].state.window.highest
    stored = hall.lookup.stored_answer(1)
    assert stored is not None
    assert (0, True) == (stored.state.window.highest, stored.good)
    hall.act(revoke_pledge)
    stored = hall.lookup.stored_answer(1)
    assert stored is not None
    assert not stored.good


def test_what_comes_into_force_is_told_once_and_after_its_commit(desk: Desk, hall: Hall) -> None:
    """Also a new key for a removed pledge, whose row number may be lower than others."""
    list(desk.database.take_learned())
    hall.enroll(2)
    assert [pledge_id(2).value] == list(desk.database.take_learned())
    hall.act(remove_pledge)
    assert [] == list(desk.database.take_learned())
    hall.enroll(1)
    assert [ONE] == list(desk.database.take_learned())
    with pytest.raises(OperatorError):
        desk.pledge(2)
    assert [] == list(desk.database.take_learned())


def test_a_context_comes_with_everything_its_answer_needs(desk: Desk) -> None:
    """Networks in their order, profile of its own or of the first of them, reported labels."""
    desk.network("south", b"\x02", profile=Profile.OPENWSN)
    desk.network("north", b"\x01", prefix="2001:db8:1::/64")
    with hall_at(desk) as hall:
        hall.enroll(1, networks=("south", "north"))
        hall.enroll(2, networks=("north", "south"), role=1)
        hall.enroll(3, networks=("south",), profile=Profile.RFC9031)
        for label, addinfo in ((7, "NULL"), (3, "x'00'"), (4, "NULL")):
            desk.sql(f"INSERT INTO unsupported_parameter VALUES (1, {label}, 0, {addinfo}, 5)")
        first, second, third = (hall.lookup.find(pledge_id(n).value)[0] for n in (1, 2, 3))
    assert ((1, 2), (2, 1), (1,)) == tuple(
        known.pledge.network_ids for known in (first, second, third)
    )
    assert [Profile.OPENWSN, Profile.RFC9031, Profile.RFC9031] == [
        known.profile for known in (first, second, third)
    ]
    assert (frozenset({4, 7}), frozenset()) == (first.left_out, second.left_out)
    assert (0, 1) == (first.pledge.role, second.pledge.role)
    assert (ONE, 1) == (first.kid_context, first.context_id)
    assert desk.database.instance.policy_revision == first.revision


def test_an_unknown_context_has_no_stored_answer(hall: Hall) -> None:
    """None, and no error."""
    assert hall.lookup.stored_answer(77) is None
    assert [] == hall.lookup.find(b"unknown")


@pytest.mark.parametrize("retire", [False, True])
def test_c11_an_answer_with_keys_that_are_not_in_force_is_not_good(
    hall: Hall, retire: bool
) -> None:
    """Nor one whose short identifier was taken back."""
    hall.join(hall.device)  # type: ignore[attr-defined]
    next_generation(hall.desk, retire=retire)
    stored = hall.lookup.stored_answer(1)
    assert stored is not None
    assert not stored.good


@pytest.mark.parametrize(("domain_id", "good"), [(1, False), (2, True)])
def test_c11_the_identifier_in_the_answer_counts(hall: Hall, domain_id: int, good: bool) -> None:
    """One of another key domain that was given back does not end the copies of an answer."""
    hall.desk.network("south", b"\x05", prefix="2001:db8:1::/64")
    pledge = hall.enroll(2, networks=("lab", "south"))
    hall.join(pledge, bytes.fromhex("a1054105"))
    hall.join(pledge)
    hall.desk.write(lambda tx: tx.leases.release(2, but=[3 - domain_id]))
    stored = hall.lookup.stored_answer(2)
    assert stored is not None
    assert good is stored.good


def test_a_context_comes_with_what_its_pledge_has(hall: Hall) -> None:
    """RFC 9031 §8.4.4: each identifier once, held or given back, and the place it has joined."""
    hall.desk.network("south", b"\x05", prefix="2001:db8:1::/64")
    pledge = hall.enroll(2, networks=("lab", "south"))
    for label in (4, 7):
        hall.desk.sql(f"INSERT INTO unsupported_parameter VALUES (2, {label}, 0, NULL, 5)")
    two = pledge_id(2).value
    assert Standing() == hall.lookup.find(two)[0].standing
    values = hall.short_id(pledge), hall.short_id(pledge, bytes.fromhex("a1054105"))
    hall.desk.write(lambda tx: tx.leases.release(2, but=[1]))
    for found in (hall.lookup.find(two), hall.lookup.find_many([two, ONE])[two]):
        (known,) = found
        assert (2, NodePlace(2, 0, 2)) == (len(known.standing.leases), known.standing.place)
        here, there = known.standing.lease_in(1), known.standing.lease_in(2)
        assert here is not None
        assert there is not None
        assert (values, (False, True), (1, 2)) == (
            (here.value, there.value),
            (here.released, there.released),
            (here.version, there.version),
        )
        assert frozenset({4, 7}) == known.left_out
        assert known.standing.lease_in(3) is None


def test_what_memory_has_after_a_join_is_what_is_on_disk(hall: Hall) -> None:
    """RFC 9031 §7.3.1: a context that is not read again must not drift from its rows."""
    pledge = hall.device  # type: ignore[attr-defined]
    for change in (False, True, False):
        if change:
            next_generation(hall.desk, retire=False)
        hall.join(pledge)
        hall.join(pledge)
        (cached,), (read,) = hall.contexts.find(ONE), hall.lookup.find(ONE)
        assert cached is not read
        assert (read.state, read.standing, read.left_out, read.pledge, read.revision) == (
            cached.state, cached.standing, cached.left_out, cached.pledge, cached.revision,
        )  # fmt: skip


def test_a_state_survives_its_row(hall: Hall) -> None:
    """Both ways, with and without optional fields."""
    before = hall.lookup.find(ONE)[0].state
    assert before == state_from_values(state_values(1, before))
    hall.join(hall.device)  # type: ignore[attr-defined]
    after = hall.lookup.find(ONE)[0].state
    assert after == state_from_values(state_values(1, after))
    assert after._replace(needs_recovery=True) == state_from_values(
        state_values(1, after._replace(needs_recovery=True))
    )


def test_a_database_that_can_not_be_read_is_a_store_error(hall: Hall) -> None:
    """The loop counts it and goes on."""
    request = hall.device.request(JOIN)  # type: ignore[attr-defined]
    hall.desk.sql("ALTER TABLE context_state RENAME TO away")
    with pytest.raises(StoreError):
        hall.lookup.find(ONE)
    with pytest.raises(StoreError):
        hall.lookup.stored_answer(1)
    assert hall.ask(request) is None
