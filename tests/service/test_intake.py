"""From a datagram to a verified request, and from a committed outcome to its answer."""

import pytest

from jrc.cojp import message
from jrc.cojp.constants import MAX_SEQUENCE_NUMBER, MessageType
from jrc.cojp.objects import JoinRequest
from jrc.cojp.replay import ReplayWindow
from jrc.errors import Reason, StateError, StoreError
from jrc.model import PledgeState, Profile
from jrc.service import intake as intakes
from jrc.service.join import Outcome
from jrc.service.join_ports import ContextState, KnownContext
from tests.service.door import ANSWER, FAR, JOIN, STANDING, Door, copy
from tests.service.fakes import NOTHING, device, known_context

# Requests


def test_c01_a_good_request_is_handed_on_and_not_answered_before_it_is_on_disk(
    door: Door, known: KnownContext
) -> None:
    """RFC 9031 §7.3.1."""
    door.take(device(first=7).request(JOIN), way=FAR)
    (ask,) = door.asks
    assert (known, 7, JoinRequest(b"\xca\xfe"), FAR) == (
        ask.known, ask.number, ask.content, ask.way,
    )  # fmt: skip
    assert ([], 1) == (door.outbox.sent, door.intake.in_flight)
    assert (ReplayWindow(), NOTHING) == (known.state.window, known.standing)


def test_b03_the_state_changes_and_the_answer_leaves_after_the_commit(
    door: Door, known: KnownContext
) -> None:
    """RFC 9031 §7.3.1: the answer goes the way its request came, with its token."""
    door.take(device().request(JOIN, token=b"\x55", message_id=3), way=FAR)
    (datagram,) = door.commit()
    answer = message.decode(datagram)
    assert (MessageType.ACK, 3, b"\x55", ANSWER) == (
        answer.type, answer.message_id, answer.token, answer.payload,
    )  # fmt: skip
    assert [(datagram, FAR)] == door.outbox.sent
    assert (0, ReplayWindow(0, 1)) == (door.intake.in_flight, known.state.window)
    assert STANDING is known.standing, "the next join decides by what this one gave"
    assert ([("lab", None)], [1]) == (door.metrics.answers, door.metrics.batches)


def test_a04_an_identifier_of_248_bytes_is_taken() -> None:
    """RFC 8613 §2: the longest that an OSCORE option carries, with the longest Partial IV."""
    known = known_context()
    name = bytes(range(248))
    known.kid_context = name
    door = Door(known)
    pledge = device(first=MAX_SEQUENCE_NUMBER)
    value = b"\x1d" + MAX_SEQUENCE_NUMBER.to_bytes(5) + b"\xf8" + name
    request = pledge.request(JOIN, option=value)
    assert 255 == len(value)
    door.take(request)
    (ask,) = door.asks
    assert MAX_SEQUENCE_NUMBER == ask.number
    door.commit()
    assert 1 == len(door.outbox.sent)


@pytest.mark.parametrize(
    ("flags", "reason"),
    [({"truncated": True}, Reason.TOO_LONG), ({"to_multicast": True}, Reason.MULTICAST)],
)
def test_b10_what_came_to_a_group_or_was_cut_off_is_silence(
    door: Door, flags: dict[str, bool], reason: Reason
) -> None:
    """RFC 7252 §11.3."""
    assert reason == door.drop_of(device().request(JOIN), **flags)


def test_b06_an_unknown_pledge_or_a_wrong_key_is_silence(door: Door, known: KnownContext) -> None:
    """RFC 9031 §7.3.2."""
    assert Reason.UNKNOWN_CONTEXT == door.drop_of(device(2).request(JOIN))
    assert Reason.BAD_TAG == door.drop_of(device(psk=bytes(range(16))).request(JOIN))
    assert Reason.MALFORMED_MESSAGE == door.drop_of(b"\x00")
    assert 0 == len(door.contexts)


def test_b09_a_forged_number_moves_nothing(door: Door, known: KnownContext) -> None:
    """RFC 8613 §8.2: the window moves only after the tag has verified."""
    forger = device(psk=bytes(range(16)), first=MAX_SEQUENCE_NUMBER)
    assert Reason.BAD_TAG == door.drop_of(forger.request(JOIN))
    assert ReplayWindow() == known.state.window
    door.take(device().request(JOIN))
    assert 1 == len(door.commit())


def test_b03_a_number_is_accepted_once(door: Door, known: KnownContext) -> None:
    """RFC 8613 §7.4: other bytes under a used number are no copy."""
    door.answered(device(first=4), known)
    assert Reason.REPLAYED == door.drop_of(device(first=4).request(b"\xa1\x05\x41\x01"))


def test_b03_a_request_waits_alone_for_its_transaction(door: Door) -> None:
    """RFC 9031 §7.3.1: a copy, or a further request, is asked for again later."""
    pledge = device()
    request = pledge.request(JOIN)
    door.take(request)
    assert Reason.IN_FLIGHT == door.drop_of(copy(request))
    assert Reason.IN_FLIGHT == door.drop_of(pledge.request(JOIN))
    door.commit()
    door.take(pledge.request(JOIN))
    assert 1 == len(door.asks)


def test_requests_that_wait_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound silence; they are repeated."""
    monkeypatch.setattr(intakes, "MAX_IN_FLIGHT", 2)
    door = Door(*(known_context(number) for number in (1, 2, 3)))
    door.take(*(device(number).request(JOIN) for number in (1, 2)))
    assert Reason.OVERLOADED == door.drop_of(device(3).request(JOIN))
    door.commit()
    door.take(device(3).request(JOIN))
    assert 1 == len(door.asks)


@pytest.mark.parametrize(
    "state",
    [
        PledgeState.WAITING, PledgeState.REVOKED, PledgeState.SUPERSEDED,
        PledgeState.TRANSFERRED, PledgeState.REMOVED,
    ],
)  # fmt: skip
def test_m03_a_pledge_that_is_not_in_force_is_silence(state: PledgeState) -> None:
    """RFC 9031 §9."""
    known = known_context(state=state)
    assert Reason.REVOKED == Door(known).drop_of(device().request(JOIN))


def test_a05_of_two_contexts_the_one_that_verifies_counts() -> None:
    """Two keys while one waits for its firmware, each with its own window."""
    old = known_context(1, at=ContextState(1, ReplayWindow(50, (1 << 32) - 1)))
    new = known_context(1, psk=bytes(range(16)))
    new.context_id = 2
    door = Door(old, new)
    door.take(device(psk=bytes(range(16)), first=3).request(JOIN))
    assert [new] == [ask.known for ask in door.asks]
    assert Reason.BAD_TAG == door.drop_of(device(psk=bytes(range(1, 17)), first=60).request(JOIN))


def test_a_datagram_that_fails_takes_no_other_with_it(door: Door) -> None:
    """Each of a batch stands alone."""
    door.take(b"", device(2).request(JOIN), device().request(JOIN), b"\xff")
    assert (1, 4, 3) == (len(door.asks), door.metrics.arrived, door.metrics.drops.total())


@pytest.mark.parametrize("error", [StateError("row 1 damaged"), StoreError("disk")])
def test_a_database_that_fails_is_silence(door: Door, error: Exception) -> None:
    """Damage is told apart from an outage."""
    door.shelf.error = error
    door.take(device().request(JOIN))
    assert ([], []) == (door.asks, door.outbox.sent)
    if isinstance(error, StateError):
        assert ["row 1 damaged"] == door.metrics.damages
    else:
        assert {Reason.DATABASE: 1} == door.metrics.drops


# Outcomes


def test_a_silent_outcome_is_counted_and_the_context_read_anew(
    door: Door, known: KnownContext
) -> None:
    """Whatever its transaction found, the cache was behind."""
    door.take(device().request(JOIN))
    assert 1 == len(door.contexts)
    door.intake.finish([Outcome(door.asks[0], None, STANDING, Reason.REPLAYED, stale=True)])
    assert ({Reason.REPLAYED: 1}, 0, 0, []) == (
        door.metrics.drops, len(door.contexts), door.intake.in_flight, door.outbox.sent,
    )  # fmt: skip
    assert (ReplayWindow(), NOTHING) == (known.state.window, known.standing)


def test_m02_a_batch_that_was_rolled_back_leaves_nothing(door: Door, known: KnownContext) -> None:
    """RFC 9031 §7.3.1: no state, no answer; the next copy of the request tries again."""
    request = device().request(JOIN)
    for error, drops in ((StoreError("full"), 1), (StateError("damaged"), 0)):
        door.metrics.drops.clear()
        door.take(request)
        door.intake.abandon(door.asks[0], error)
        door.asks.clear()
        assert ([], 0, 0) == (door.outbox.sent, door.intake.in_flight, len(door.contexts))
        assert drops == door.metrics.drops[Reason.DATABASE]
    assert (["damaged"], ReplayWindow()) == (door.metrics.damages, known.state.window)
    assert NOTHING is known.standing
    door.take(request)
    assert 1 == len(door.commit())


def test_a_refusal_is_counted_with_its_reason(door: Door) -> None:
    """RFC 9031 §8.3.1: answered, and no Configuration."""
    door.take(device().request(JOIN))
    door.commit(Reason.UNKNOWN_NETWORK)
    assert [("lab", Reason.UNKNOWN_NETWORK)] == door.metrics.answers


def test_c02_nons_get_message_ids_of_our_own_in_a_row(known: KnownContext) -> None:
    """RFC 7252 §4.4: 16 bits, going round."""
    door = Door(known, first_message_id=0xFFFE)
    pledge = device()
    found = []
    for _ in range(3):
        door.take(pledge.request(JOIN, type=MessageType.NON, message_id=77))
        (answer,) = door.commit()
        found.append(message.decode(answer).message_id)
    assert [0xFFFF, 0, 1] == found


@pytest.mark.parametrize("profile", Profile)
def test_c11_option_40_comes_back_by_profile(profile: Profile) -> None:
    """OpenWSN's proxy keeps there what others keep in the token."""
    known = known_context(profile=profile)
    door = Door(known)
    door.take(device().request(JOIN, extra=((40, b"state"),)))
    (answer,) = door.commit()
    assert (profile is Profile.OPENWSN) is ((40, b"state") in message.decode(answer).options)
