"""Terms: what pledges of one kind are told alike, and who has terms of its own."""

from dataclasses import replace

import pytest

from jrc.errors import Reason
from jrc.model import Profile
from jrc.service.join_ports import KnownContext
from tests.service.decisions import AS_6LBR, JOIN, ask, configuration, decided, join, opened
from tests.service.fakes import LAB, Ground, device, known_context, live_keys


def test_forms_of_different_kinds_are_kept_apart() -> None:
    """Each pledge gets its own short identifier, and nothing of another's kind."""
    contexts = [known_context(1), known_context(2), known_context(3, left_out=(3,))]
    ground = Ground(*contexts)
    pledges = [device(number) for number in (1, 2, 3)]
    outcomes = decided(ground, *map(ask, contexts, pledges))
    told = [configuration(*pair).short_identifier for pair in zip(outcomes, pledges, strict=True)]
    given = {entry.pledge_id: entry.value.to_bytes(2) for entry in ground.leases}
    assert [given[1], given[2], None] == [
        None if entry is None else entry.identifier for entry in told
    ]
    assert given[1] != given[2]


def test_pledges_of_one_kind_share_their_terms() -> None:
    """RFC 9031 §8.4.2: all but the short identifier is the same for them, in later batches too."""
    contexts = [known_context(number) for number in range(1, 6)]
    ground = Ground(*contexts)
    for known in contexts:
        join(ground, known)
    assert 1 == len(ground.policy.terms)


@pytest.mark.parametrize("what", ["role", "identifier", "profile", "networks", "left_out"])
def test_terms_of_another_kind_are_not_taken(what: str) -> None:
    """Whatever decides about an answer tells the kinds apart."""
    network = replace(LAB, identifiers=(b"\xca\xfe", b"\xfe\xca"))
    other = {
        "profile": known_context(2, profile=Profile.OPENWSN),
        "networks": known_context(2, network_ids=(9,)),
        "left_out": known_context(2, left_out=(3,)),
    }.get(what, known_context(2))
    if what == "profile":
        other.pledge = other.pledge._replace(profile=Profile.OPENWSN)
    payload = {"role": AS_6LBR, "identifier": bytes.fromhex("a10542feca")}.get(what, JOIN)
    first = known_context(1)
    ground = Ground(first, other, network=network)
    join(ground, first)
    outcome, pledge = join(ground, other, payload)
    alone, same = join(Ground(other, network=network), other, payload)
    assert (alone.reason, opened(alone, same).code) == (
        outcome.reason,
        opened(outcome, pledge).code,
    )
    if outcome.reason is None:
        told, expected = configuration(outcome, pledge), configuration(alone, same)
        assert (expected.keys, expected.short_identifier is None) == (
            told.keys, told.short_identifier is None,
        )  # fmt: skip
        assert 2 == len(ground.policy.terms)


def test_c10_terms_of_a_border_router_are_not_those_of_a_node() -> None:
    """RFC 9031 §8.4.1: the same request in the same network, and not the same right to the role."""
    router, node = known_context(1, role=1), known_context(2)
    ground = Ground(router, node)
    outcome, _ = join(ground, router, AS_6LBR)
    assert outcome.reason is None
    outcome, _ = join(ground, node, AS_6LBR)
    assert Reason.ROLE_NOT_GRANTED == outcome.reason


def test_a_change_of_keys_or_networks_brings_other_terms(
    ground: Ground, known: KnownContext
) -> None:
    """They belong to one revision of the database, and go with it."""
    join(ground, known)
    ground.set_keys(live_keys(generation=2, oldest=1))
    outcome, _ = join(ground, known, first=1)
    assert outcome.state is not None
    assert 12 == outcome.state.answer_generation_id


def test_c06_terms_are_not_kept_for_what_is_refused(ground: Ground, known: KnownContext) -> None:
    """A pledge may ask for any identifier or role (RFC 9031 §8.4.1): that fills no memory."""
    for number in range(300):
        asked = b"\xa1\x05\x42" + number.to_bytes(2)
        outcome, _ = join(ground, known, asked, first=number)
        assert Reason.UNKNOWN_NETWORK == outcome.reason
    join(ground, known, AS_6LBR, first=300)
    assert not ground.policy.terms


def test_c07_terms_do_not_grow_with_labels_that_a_pledge_makes_up(
    ground: Ground, known: KnownContext
) -> None:
    """RFC 9031 §8.4.5: it may report any label with null; only those in use make a difference."""
    for number in range(20, 320):
        report = bytes.fromhex("a20542cafe088300") + b"\x19" + number.to_bytes(2) + b"\xf6"
        outcome, _ = join(ground, known, report, first=number)
        assert outcome.reason is None
    assert 1 == len(ground.policy.terms)
