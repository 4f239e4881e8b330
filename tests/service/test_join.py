"""What a verified request gets in its transaction, and what is written with it.

Long because its parts share the fakes of one transaction.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from jrc.cojp import message, oscore
from jrc.cojp.codec import decode_configuration, decode_unsupported
from jrc.cojp.constants import CoapCode
from jrc.cojp.envelope import digest, open_request
from jrc.cojp.message import Inner
from jrc.cojp.objects import Configuration, JoinRequest, UnsupportedParameter
from jrc.cojp.replay import ReplayWindow
from jrc.errors import Reason, StateError
from jrc.model import PledgeId, PledgeState, Profile, ShortIdRange
from jrc.policy.leases import Lease
from jrc.service.intake import read_request
from jrc.service.join import Ask, Outcome, Refusal, decide
from jrc.service.join_ports import ContextState, KnownContext, NetworkPolicy, NodePlace, Standing
from tests.daemon.wire import OddPledge
from tests.service.fakes import (
    KEY,
    LAB,
    NOTHING,
    NOW_MS,
    Ground,
    Path,
    device,
    identifier,
    known_context,
    lease,
    live_keys,
)

JOIN = bytes.fromhex("a10542cafe")
AS_6LBR = bytes.fromhex("a201010542cafe")
REPORTS = bytes.fromhex("a20542cafe0883000300")
"""Label 3 with the value 0."""
REPORTS_NULL = bytes.fromhex("a20542cafe08830007f6")
REPORTS_KEYS = bytes.fromhex("a20542cafe08830002f6")
PEER = Path(bytes(15) + b"\x05")
AT_HOME = NodePlace(1, 0, 11)
"""Where a pledge of the lab network has joined under the keys of ``live_keys``."""


def ask(known: KnownContext, pledge: OddPledge, payload: bytes = JOIN) -> Ask:
    """What the intake hands on for a request of ``pledge``."""
    request = open_request(pledge.request(payload), 8)
    plaintext = oscore.unprotect_request(
        known.security, request.partial_iv, b"", request.ciphertext
    )
    number = oscore.decode_piv(request.partial_iv)
    return Ask(known, number, digest(request), read_request(plaintext), request, PEER)


def decided(ground: Ground, *asks: Ask, now_ms: int = NOW_MS) -> list[Outcome]:
    return decide(ground, asks, now_ms)


def opened(outcome: Outcome, pledge: OddPledge) -> Inner:
    """The answer as the pledge reads it."""
    assert outcome.state is not None
    assert outcome.state.answer is not None
    plaintext = oscore.unprotect_response(
        pledge.context, b"", pledge.partial_iv, oscore.decode_option(b""), outcome.state.answer
    )
    return message.decode_inner(plaintext)


def configuration(outcome: Outcome, pledge: OddPledge) -> Configuration:
    inner = opened(outcome, pledge)
    assert CoapCode.CHANGED == inner.code
    return decode_configuration(inner.payload)


def join(
    ground: Ground, known: KnownContext, payload: bytes = JOIN, first: int = 0
) -> tuple[Outcome, OddPledge]:
    """One request, decided."""
    pledge = device(known.context_id, first=first)
    (outcome,) = decided(ground, ask(known, pledge, payload))
    return outcome, pledge


def silence(ground: Ground, known: KnownContext, payload: bytes = JOIN) -> Reason | None:
    """Why a request gets no answer, with nothing written."""
    outcome, _ = join(ground, known, payload)
    assert outcome.state is None
    assert outcome.stale
    assert ([], [], [], []) == (ground.states, ground.leases, ground.places, ground.events)
    return outcome.reason


def spent(ground: Ground, known: KnownContext) -> Reason | None:
    """Why a request gets no answer, whose number is used up: its copies stop at the window."""
    outcome, _ = join(ground, known)
    assert outcome.state is None
    assert outcome.stale
    ((context_id, state),) = ground.states
    assert (known.context_id, None, None) == (context_id, state.answer, state.request_digest)
    assert not state.window.is_fresh(0)
    assert ([], [], []) == (ground.leases, ground.places, ground.events)
    return outcome.reason


@pytest.fixture
def known() -> KnownContext:
    """The context of pledge 1."""
    return known_context()


@pytest.fixture
def ground(known: KnownContext) -> Ground:
    """A transaction in which pledge 1 is at rest."""
    return Ground(known)


def test_c02_a_pledge_gets_keys_and_short_identifier(ground: Ground, known: KnownContext) -> None:
    """RFC 9031 §8.4.2; the answer is in the state that is written."""
    outcome, pledge = join(ground, known)
    told = configuration(outcome, pledge)
    assert (KEY,) == told.keys
    assert told.short_identifier is not None
    (given,) = ground.leases
    assert (given.value.to_bytes(2), None, 1) == (
        told.short_identifier.identifier, told.short_identifier.lease_hours, given.version,
    )  # fmt: skip
    assert [(1, outcome.state)] == ground.states
    assert (None, "lab", False) == (outcome.reason, outcome.network, outcome.stale)
    assert (Standing((given,), AT_HOME), NOTHING) == (outcome.standing, known.standing)


def test_b03_c11_window_and_answer_are_one_state(ground: Ground, known: KnownContext) -> None:
    """RFC 9031 §7.3.1: what is written holds everything that a copy will be judged by."""
    known.state = ContextState(8, ReplayWindow(3, 0b1011), numbers_reserved=77, joined_at_ms=5)
    outcome, _ = join(ground, known, first=4)
    sent = open_request(device(first=4).request(JOIN), 8)
    state = outcome.state
    assert state is not None
    assert (9, ReplayWindow(4, 0b10111), 77, False) == state[:4]
    assert (digest(sent), NOW_MS, PEER.address, 11, NOW_MS) == (
        state.request_digest, state.answered_at_ms, state.answer_peer,
        state.answer_generation_id, state.joined_at_ms,
    )  # fmt: skip
    assert ReplayWindow(3, 0b1011) == known.state.window, "the cache waits for the commit"


def test_a_join_is_recorded(ground: Ground, known: KnownContext) -> None:
    """Who, where, with which generation and identifier; never a key."""
    join(ground, known)
    (event,) = ground.events
    assert ("pledge.joined", identifier(), "lab") == (event.kind, event.pledge, event.network)
    value = f"{ground.leases[0].value:04x}"
    assert isinstance(event.detail, str)
    assert {"generation": 1, "role": 0, "short_id": value} == json.loads(event.detail)
    assert [(AT_HOME, True)] == ground.places


@pytest.mark.parametrize("by_another_registrar", [True, False])
def test_b03_the_window_is_looked_at_again(
    ground: Ground, known: KnownContext, by_another_registrar: bool
) -> None:
    """RFC 9031 §7.3.1: another batch, or another registrar, has accepted the number."""
    moved = ContextState(2, ReplayWindow(0, 1))
    if by_another_registrar:
        ground.change(1, state=moved)
    else:
        known.state = moved
    assert Reason.REPLAYED == silence(ground, known)


def test_b03_the_window_on_disk_is_the_one_that_moves(ground: Ground, known: KnownContext) -> None:
    """Where it was read, and not the cache's; its version is the one that is followed."""
    ground.change(1, state=ContextState(5, ReplayWindow(20, 1), numbers_reserved=9))
    outcome, _ = join(ground, known, first=18)
    assert outcome.state is not None
    assert (6, ReplayWindow(20, 0b101), 9) == outcome.state[:3]
    assert outcome.stale


def test_b07_m03_what_the_row_forbids_is_silence(ground: Ground, known: KnownContext) -> None:
    """RFC 9031 §7.3.2, §8.3.3: its window was lost with an older database."""
    ground.change(1, state=known.state._replace(needs_recovery=True))
    assert Reason.QUARANTINED == silence(ground, known)


def test_m03_a_context_that_was_removed_is_silence(known: KnownContext) -> None:
    """It is in force no longer, though memory has it still."""
    assert Reason.REVOKED == silence(Ground(), known)


class Damaged(Ground):
    """A transaction that reads a row which does not authenticate."""

    def current(self, asked: Sequence[KnownContext]) -> Mapping[int, KnownContext]:
        raise StateError("context_state 2")


def test_m02_a_damaged_row_ends_the_transaction_before_anything_is_encrypted() -> None:
    """Whoever runs it tries each request alone (``store/writer.py``)."""
    contexts = [known_context(number) for number in (1, 2)]
    ground = Damaged(*contexts)
    with pytest.raises(StateError, match="context_state 2"):
        decided(ground, *(ask(known, device(known.context_id)) for known in contexts))
    assert ([], [], []) == (ground.states, ground.leases, ground.events)


@pytest.mark.parametrize("state", [state for state in PledgeState if state != "provisioned"])
def test_m03_a_pledge_revoked_between_intake_and_transaction_is_silence(
    ground: Ground, known: KnownContext, state: PledgeState
) -> None:
    """RFC 9031 §9: the revision says that something was changed, and so it was read anew."""
    ground.change(1, pledge=replace(known.pledge, state=state))
    assert Reason.REVOKED == silence(ground, known)


def test_m03_a_pledge_changed_meanwhile_is_answered_as_it_is_now(
    ground: Ground, known: KnownContext
) -> None:
    """Its new role counts; the cached one is read anew."""
    ground.change(1, pledge=replace(known.pledge, role=1))
    outcome, _ = join(ground, known, AS_6LBR)
    assert (None, True) == (outcome.reason, outcome.stale)


def test_b08_the_answer_is_protected_with_the_context_on_disk(
    ground: Ground, known: KnownContext
) -> None:
    """RFC 9031 §7.3: empty option, nonce of the request."""
    pledge = device()
    asked = ask(known, pledge)
    ground.change(1, security=known.security)
    known.security = known_context(psk=bytes(range(16))).security
    (outcome,) = decided(ground, asked)
    assert configuration(outcome, pledge).keys


def test_m02_one_silent_request_of_a_batch_leaves_the_others() -> None:
    """RFC 9031 §7.3.2."""
    contexts = [known_context(number) for number in (1, 2, 3)]
    ground = Ground(*contexts)
    ground.change(2, state=ContextState(3, ReplayWindow(5, 0b111111)))
    pledges = [device(number) for number in (1, 2, 3)]
    outcomes = decided(ground, *map(ask, contexts, pledges))
    assert [None, Reason.REPLAYED, None] == [outcome.reason for outcome in outcomes]
    assert [1, 3] == [number for number, _ in ground.states]
    assert configuration(outcomes[2], pledges[2]).keys


# Refusals


def test_c06_a_network_the_pledge_may_not_join_is_named(
    ground: Ground, known: KnownContext
) -> None:
    """RFC 9031 §8.4.1: code 0, label 5, what was asked for; the window moves all the same."""
    outcome, pledge = join(ground, known, bytes.fromhex("a10542beef"))
    inner = opened(outcome, pledge)
    assert CoapCode.BAD_REQUEST == inner.code
    assert (UnsupportedParameter(0, 5, bytes.fromhex("42beef")),) == decode_unsupported(
        inner.payload
    )
    assert Reason.UNKNOWN_NETWORK == outcome.reason
    assert outcome.state is not None
    assert (ReplayWindow(0, 1), None, None) == (
        outcome.state.window, outcome.state.answer_generation_id, outcome.state.joined_at_ms,
    )  # fmt: skip
    assert ([], [], []) == (ground.leases, ground.places, ground.events)


@pytest.mark.parametrize(("role", "reason"), [(0, Reason.ROLE_NOT_GRANTED), (1, None)])
def test_c10_role_6lbr_is_for_border_routers(role: int, reason: Reason | None) -> None:
    """RFC 9031 §8.4.1."""
    known = known_context(role=role)
    outcome, pledge = join(Ground(known), known, AS_6LBR)
    assert reason == outcome.reason
    if reason is not None:
        refused = (UnsupportedParameter(0, 1, b"\x01"),)
        assert refused == decode_unsupported(opened(outcome, pledge).payload)


@pytest.mark.parametrize(
    ("payload", "diagnostic"),
    [("a0", "830105f6"), ("a20542cafe0900", "830009f6"), ("a201070542cafe", "83000107")],
)
def test_c04_c05_a_bad_object_is_answered_and_its_number_used_up(
    ground: Ground, known: KnownContext, payload: str, diagnostic: str
) -> None:
    """RFC 9031 §8.3.1: protected with the nonce of the request, so once only (row B5)."""
    outcome, pledge = join(ground, known, bytes.fromhex(payload))
    inner = opened(outcome, pledge)
    assert (CoapCode.BAD_REQUEST, bytes.fromhex(diagnostic)) == (inner.code, inner.payload)
    assert outcome.state is not None
    assert ReplayWindow(0, 1) == outcome.state.window
    assert [(1, outcome.state)] == ground.states


def test_a_network_without_keys_is_silence(ground: Ground, known: KnownContext) -> None:
    """RFC 9031 §8.4.3: there is nothing to join with yet."""
    ground.set_keys(None)
    assert Reason.NO_KEYS == spent(ground, known)


# What a pledge reports (row C7)


def test_c07_a_report_is_stored_and_what_it_names_with_null_left_out(
    ground: Ground, known: KnownContext
) -> None:
    """RFC 9031 §8.4.5."""
    network = replace(LAB, join_rate_bytes_per_s=9)
    ground.policy = NetworkPolicy(1, {1: network}, {1: live_keys()})
    outcome, pledge = join(ground, known, REPORTS_NULL)
    told = configuration(outcome, pledge)
    assert (None, True) == (told.join_rate_bytes_per_s, outcome.stale)
    assert [(0, 7, None)] == ground.reports
    assert {"pledge.reported", "pledge.joined"} == {event.kind for event in ground.events}


def test_c07_a_report_with_a_value_is_stored_and_leaves_the_label_in(
    ground: Ground, known: KnownContext
) -> None:
    """That value alone could not be set."""
    outcome, pledge = join(ground, known, REPORTS)
    assert configuration(outcome, pledge).short_identifier is not None
    assert [(0, 3, b"\x00")] == ground.reports


def test_c07_what_is_known_already_is_not_written_again() -> None:
    """A report comes with each join."""
    known = known_context(left_out=(7,))
    ground = Ground(known)
    outcome, _ = join(ground, known, REPORTS_NULL)
    assert ([], False) == (ground.reports, outcome.stale)


def test_c07_what_was_reported_before_is_left_out(known: KnownContext) -> None:
    """RFC 9031 §8.4.5; no identifier is drawn for a pledge that takes none."""
    known = known_context(left_out=(3,))
    ground = Ground(known)
    outcome, pledge = join(ground, known)
    assert configuration(outcome, pledge).short_identifier is None
    assert ([], 0) == (ground.leases, ground.draws)


def test_c07_a_pledge_that_can_not_take_keys_is_refused(
    ground: Ground, known: KnownContext
) -> None:
    """Never admitted without; the report is stored all the same."""
    outcome, pledge = join(ground, known, REPORTS_KEYS)
    assert (Reason.KEYS_UNSUPPORTED, True) == (outcome.reason, outcome.stale)
    assert (UnsupportedParameter(0, 2),) == decode_unsupported(opened(outcome, pledge).payload)
    assert ([(0, 2, None)], [], []) == (ground.reports, ground.leases, ground.places)


# Profiles


@pytest.mark.parametrize("of_pledge", [True, False])
def test_openwsn_gets_keys_alone(of_pledge: bool) -> None:
    """A profile of its own counts before that of its network."""
    own = Profile.OPENWSN if of_pledge else None
    known = known_context()
    known.pledge = replace(known.pledge, profile=own)
    network = replace(LAB, profile=Profile.RFC9031 if of_pledge else Profile.OPENWSN)
    ground = Ground(known, network=network)
    outcome, pledge = join(ground, known)
    assert Configuration(keys=(KEY,)) == configuration(outcome, pledge)
    assert [] == ground.leases


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


# Terms, worked out once for a kind of pledge


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
        other.pledge = replace(other.pledge, profile=Profile.OPENWSN)
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


# Short identifiers (rows F1 to F5)


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
    elsewhere = replace(lease(0x43), domain_id=2)
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


def test_b05_asks_of_a_batch_are_protected_with_their_own_numbers() -> None:
    """RFC 8613 §5.2: the same plaintext under two contexts gives two ciphertexts."""
    contexts = [known_context(number, left_out=(3,)) for number in (1, 2)]
    outcomes = decided(Ground(*contexts), *(ask(k, device(k.context_id)) for k in contexts))
    answers = {outcome.state.answer for outcome in outcomes if outcome.state}
    assert 2 == len(answers)


def test_an_identifier_of_any_length_is_recorded(known: KnownContext) -> None:
    """RFC 9031 §3: 248 bytes (row A4)."""
    known.pledge = replace(known.pledge, identifier=PledgeId(bytes(range(248))))
    ground = Ground(known)
    join(ground, known)
    assert bytes(range(248)) == ground.events[0].pledge


def test_content_is_what_the_intake_found(ground: Ground, known: KnownContext) -> None:
    """A refusal is carried through as it is."""
    pledge = device()
    asked = ask(known, pledge)
    assert JoinRequest(b"\xca\xfe") == asked.content
    refusal = Refusal(CoapCode.NOT_FOUND, b"", Reason.NOT_FOUND)
    (outcome,) = decided(ground, asked._replace(content=refusal))
    assert (CoapCode.NOT_FOUND, (), b"") == opened(outcome, pledge)
    assert known.standing is outcome.standing


def test_g01_a_6lbr_is_told_the_blocklist_and_a_node_is_not(known: KnownContext) -> None:
    """RFC 9031 §8.4.2; it is asked for once, whoever else joins."""
    asked: list[int] = []

    def blocked_in(network_id: int) -> tuple[bytes, ...]:
        asked.append(network_id)
        return (b"bad",)

    border = replace(known, pledge=replace(known.pledge, role=1))
    ground = Ground(border)
    ground.policy = replace(ground.policy, blocked_in=blocked_in)
    assert configuration(*join(ground, border)).blocklist is None
    assert [] == asked
    for first in (1, 2):
        assert (b"bad",) == configuration(*join(ground, border, AS_6LBR, first)).blocklist
    assert [1] == asked


def test_g01_firmware_of_the_early_draft_gets_no_blocklist(known: KnownContext) -> None:
    """It takes keys alone: nobody even asks for the list (RFC 9031 §8.4.2)."""

    def blocked_in(_network_id: int) -> tuple[bytes, ...]:
        raise AssertionError("the blocklist was asked for")

    border = replace(known, pledge=replace(known.pledge, role=1, profile=Profile.OPENWSN))
    ground = Ground(border)
    ground.policy = replace(ground.policy, blocked_in=blocked_in)
    assert configuration(*join(ground, border, AS_6LBR)).blocklist is None
