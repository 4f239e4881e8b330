"""The short identifier of a join: kept, renewed, burned or new (RFC 9031 §8.4.4, rows F1 to F5)."""

from dataclasses import replace

import pytest

from jrc.errors import Reason
from jrc.model import ShortIdRange
from jrc.policy.leases import Lease
from jrc.service.join_ports import KnownContext, NetworkPolicy, NodePlace, Standing
from tests.service.decisions import AT_HOME, ask, configuration, decided, join, spent
from tests.service.fakes import LAB, NOW_MS, Ground, device, known_context, lease, live_keys


def joined(*held: Lease) -> Standing:
    """What a pledge has that has joined the lab network."""
    return Standing(held, AT_HOME)


@pytest.mark.parametrize("read_anew", [True, False])
def test_f05_a_pledge_keeps_the_identifier_it_holds(
    ground: Ground, known: KnownContext, read_anew: bool
) -> None:
    """RFC 9031 §8.4.4; nothing to write where nothing changed."""
    standing = joined(lease(0x42))
    if read_anew:
        ground.change(1, standing=standing)
    else:
        known.standing = standing
    outcome, pledge = join(ground, known)
    told = configuration(outcome, pledge).short_identifier
    assert told is not None
    assert b"\x00\x42" == told.identifier
    assert ([], [], 0) == (ground.leases, ground.places, ground.draws)
    assert standing is outcome.standing


def test_f03_an_identifier_is_burned_in_each_generation_it_goes_out_with(
    ground: Ground, known: KnownContext
) -> None:
    """RFC 9031 §8.4.4.1: before it goes out."""
    ground.set_keys(live_keys(generation=3, oldest=2))
    known.standing = joined(lease(0x42))
    outcome, _ = join(ground, known)
    burned = lease(0x42, last_generation=3, version=2)
    assert ([burned], [(NodePlace(1, 0, 13), False)]) == (ground.leases, ground.places)
    assert Standing((burned,), NodePlace(1, 0, 13)) == outcome.standing


def test_f03_a_pledge_gets_back_what_it_gave_back(ground: Ground, known: KnownContext) -> None:
    """Within a generation always the same identifier."""
    known.standing = joined(lease(0x42, released=True, version=7))
    join(ground, known)
    assert [lease(0x42, version=8)] == ground.leases


def test_f03_the_identifier_of_another_key_domain_is_let_alone(
    ground: Ground, known: KnownContext
) -> None:
    """RFC 9031 §8.4.4.1: values are unique where keys are shared, and there alone."""
    elsewhere = lease(0x43)._replace(domain_id=2)
    known.standing = Standing((elsewhere,), NodePlace(2, 0, 21))
    outcome, _ = join(ground, known)
    (given,) = ground.leases
    assert (1, 1) == (given.domain_id, given.version)
    assert ({given, elsewhere}, AT_HOME) == ({*outcome.standing.leases}, outcome.standing.place)
    assert [(AT_HOME, False)] == ground.places


def test_f05_a_lease_is_renewed_with_its_hours(ground: Ground, known: KnownContext) -> None:
    """RFC 9031 §8.4.4: the registrar's end lies after the node's."""
    ground.policy = NetworkPolicy(1, {1: replace(LAB, lease_hours=2)}, {1: live_keys()})
    known.standing = joined(lease(0x42, lease_until_ms=1))
    outcome, pledge = join(ground, known)
    told = configuration(outcome, pledge).short_identifier
    (renewed,) = ground.leases
    assert told is not None
    assert (2, 2) == (told.lease_hours, renewed.version)
    assert renewed.lease_until_ms is not None
    assert renewed.lease_until_ms > NOW_MS + 2 * 3_600_000


def test_f01_f03_a_new_identifier_is_held_in_its_generation(
    ground: Ground, known: KnownContext
) -> None:
    """RFC 9031 §8.4.4.1."""
    ground.set_keys(live_keys(generation=4, oldest=2))
    join(ground, known)
    (given,) = ground.leases
    assert lease(given.value, first_generation=4, last_generation=4) == given
    assert given.value in LAB.short_ids


def test_f02_identifiers_of_a_batch_differ() -> None:
    """RFC 9031 §8.4.4.1, also where chance says the same twice."""
    contexts = [known_context(number) for number in range(1, 6)]
    ground = Ground(*contexts, network=replace(LAB, short_ids=ShortIdRange(0x10, 0x14)))
    decided(ground, *(ask(known, device(known.context_id)) for known in contexts))
    assert set(range(0x10, 0x15)) == {entry.value for entry in ground.leases}


@pytest.mark.parametrize("left", [0x10, 0x1F, 0x17])
def test_f03_the_last_value_of_a_range_is_found(left: int, known: KnownContext) -> None:
    """A range that is nearly full is walked through."""
    ground = Ground(known, network=replace(LAB, short_ids=ShortIdRange(0x10, 0x1F)))
    ground.burned = set(range(0x10, 0x20)) - {left}
    outcome, pledge = join(ground, known)
    told = configuration(outcome, pledge).short_identifier
    assert told is not None
    assert left == int.from_bytes(told.identifier)


def test_f03_an_exhausted_range_is_silence(known: KnownContext) -> None:
    """No identifier is given a second time; the request's number is used up all the same."""
    ground = Ground(known, network=replace(LAB, short_ids=ShortIdRange(0x10, 0x1F)))
    ground.burned = set(range(0x10, 0x20))
    assert Reason.NO_SHORT_IDENTIFIER == spent(ground, known)


def test_f04_an_identifier_has_nothing_to_do_with_the_pledges(ground: Ground) -> None:
    """RFC 9031 §10: another pledge with the same chance gets the same value."""
    found = []
    for number in (1, 9):
        known = known_context(number)
        ground = Ground(known)
        join(ground, known)
        found.append(ground.leases[0].value)
    assert found[0] == found[1]


def test_f03_no_address_is_drawn_for_who_is_refused(ground: Ground, known: KnownContext) -> None:
    """Ranges don't shrink by requests for another network."""
    join(ground, known, bytes.fromhex("a10542beef"))
    assert 0 == ground.draws
