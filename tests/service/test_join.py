"""What a verified request gets in its transaction, and what is written with it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from jrc.cojp.codec import decode_unsupported
from jrc.cojp.constants import CoapCode
from jrc.cojp.envelope import digest, open_request
from jrc.cojp.objects import JoinRequest, UnsupportedParameter
from jrc.cojp.replay import ReplayWindow
from jrc.errors import Reason, StateError
from jrc.model import PledgeId, PledgeState, Profile
from jrc.service.join import Refusal
from jrc.service.join_ports import ContextState, KnownContext, Standing
from tests.service.decisions import (
    AS_6LBR,
    AT_HOME,
    JOIN,
    PEER,
    ask,
    configuration,
    decided,
    join,
    opened,
    silence,
    spent,
)
from tests.service.fakes import KEY, NOTHING, NOW_MS, Ground, device, identifier, known_context


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
    """RFC 9031 §7.3.2, §8.3.3: its window was lost, and its PSK never was here (row A6)."""
    ground.change(1, state=known.state._replace(needs_recovery=True))
    assert Reason.NOT_RECOVERABLE == silence(ground, known)


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
    ground.change(1, pledge=known.pledge._replace(state=state))
    assert Reason.REVOKED == silence(ground, known)


def test_m03_a_pledge_changed_meanwhile_is_answered_as_it_is_now(
    ground: Ground, known: KnownContext
) -> None:
    """Its new role counts; the cached one is read anew."""
    ground.change(1, pledge=known.pledge._replace(role=1))
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


def test_b05_asks_of_a_batch_are_protected_with_their_own_numbers() -> None:
    """RFC 8613 §5.2: the same plaintext under two contexts gives two ciphertexts."""
    contexts = [known_context(number, left_out=(3,)) for number in (1, 2)]
    outcomes = decided(Ground(*contexts), *(ask(k, device(k.context_id)) for k in contexts))
    answers = {outcome.state.answer for outcome in outcomes if outcome.state}
    assert 2 == len(answers)


def test_an_identifier_of_any_length_is_recorded(known: KnownContext) -> None:
    """RFC 9031 §3: 248 bytes (row A4)."""
    known.pledge = known.pledge._replace(identifier=PledgeId(bytes(range(248))))
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

    border = replace(known, pledge=known.pledge._replace(role=1))
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

    border = replace(known, pledge=known.pledge._replace(role=1, profile=Profile.OPENWSN))
    ground = Ground(border)
    ground.policy = replace(ground.policy, blocked_in=blocked_in)
    assert configuration(*join(ground, border, AS_6LBR)).blocklist is None
