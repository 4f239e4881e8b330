"""From a datagram to a verified request, and from a committed outcome to its answer.

Long because its parts share one door with everything around it in memory.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from jrc.cojp import message
from jrc.cojp.constants import MAX_SEQUENCE_NUMBER, CoapCode, MessageType, OptionNumber
from jrc.cojp.objects import JoinRequest
from jrc.cojp.replay import ReplayWindow
from jrc.errors import PeerError, Reason, StateError, StoreError
from jrc.model import PledgeState, Profile
from jrc.service import intake as intakes
from jrc.service.contexts import Contexts
from jrc.service.copies import MAX_COPY_AGE_MS, MAX_COPY_RESENDS
from jrc.service.intake import Intake, read_request
from jrc.service.join import Ask, Outcome, Refusal
from jrc.service.join_ports import ContextState, KnownContext, NodePlace, Standing, StoredAnswer
from tests.daemon.wire import OddPledge, with_header
from tests.service.fakes import (
    NOTHING,
    NOW_MS,
    GivenClock,
    Outbox,
    Packet,
    Path,
    Shelf,
    Tally,
    device,
    known_context,
    lease,
)

JOIN = bytes.fromhex("a10542cafe")
ANSWER = b"protected answer"
STANDING = Standing((lease(),), NodePlace(1, 0, 11))
PATH = (int(OptionNumber.URI_PATH), b"j")
NEAR, FAR, FARTHER = (Path(bytes(15) + bytes((number,))) for number in (1, 2, 3))


class Door:
    """An intake with everything around it in memory."""

    def __init__(self, *contexts: KnownContext, **options: Any) -> None:
        self.shelf, self.metrics, self.outbox = Shelf(), Tally(), Outbox()
        self.clock = GivenClock()
        self.asks: list[Ask] = []
        for known in contexts:
            self.shelf.known.setdefault(known.kid_context, []).append(known)
        self.contexts = Contexts(self.shelf)
        self.contexts.learn(self.shelf.known)
        self.intake = Intake(
            self.contexts,
            self.shelf,
            self.asks.append,
            self.outbox,
            self.metrics,
            self.clock,
            **options,
        )

    def take(self, *datagrams: bytes, way: Path = NEAR) -> None:
        self.intake.take([Packet(datagram, way) for datagram in datagrams])

    def drop_of(self, datagram: bytes, **flags: bool) -> Reason:
        """The one reason that a datagram was dropped for, with nothing else happening."""
        before = self.metrics.drops.copy()
        asks, sent = len(self.asks), len(self.outbox.sent)
        self.intake.take([Packet(datagram, NEAR, **flags)])
        assert (asks, sent) == (len(self.asks), len(self.outbox.sent))
        ((reason, count),) = (self.metrics.drops - before).items()
        assert count == 1
        return reason

    def commit(self, reason: Reason | None = None) -> list[bytes]:
        """Every ask accepted and on disk; the answers that left."""
        outcomes = [Outcome(ask, self.after(ask), STANDING, reason, "lab") for ask in self.asks]
        self.asks.clear()
        sent = len(self.outbox.sent)
        self.intake.finish(outcomes)
        return [datagram for datagram, _ in self.outbox.sent[sent:]]

    def after(self, ask: Ask) -> ContextState:
        state = ask.known.state
        return ContextState(
            state.version + 1,
            state.window.accept(ask.number),
            request_digest=ask.digest,
            answer=ANSWER,
            answered_at_ms=self.clock.now,
            answer_peer=ask.way.peer_address(),
        )

    def answered(self, pledge: OddPledge, known: KnownContext) -> bytes:
        """A request that was answered and whose answer is stored; the request."""
        request = pledge.request(JOIN)
        self.take(request)
        self.commit()
        self.shelf.stored[known.context_id] = StoredAnswer(known.state, good=True)
        return request


@pytest.fixture
def known() -> KnownContext:
    """The context of pledge 1."""
    return known_context()


@pytest.fixture
def door(known: KnownContext) -> Door:
    """An intake that knows pledge 1."""
    return Door(known)


def copy(request: bytes, number: int = 9, type: int = MessageType.NON) -> bytes:
    return with_header(request, type=type, message_id=number, token=bytes((0xC0, number)))


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


# Copies (row C11)


@pytest.mark.parametrize("type", [MessageType.CON, MessageType.NON])
def test_c11_a_copy_gets_the_stored_answer_under_its_own_header(
    door: Door, known: KnownContext, type: MessageType
) -> None:
    """RFC 7252 §4.2, §4.5: no transaction, no second encryption."""
    request = door.answered(device(), known)
    state = known.state
    door.take(copy(request, 9, type), way=FAR)
    answer, way = door.outbox.sent[-1]
    decoded = message.decode(answer)
    assert (ANSWER, b"\xc0\x09", FAR) == (decoded.payload, decoded.token, way)
    assert (type is MessageType.CON) is (decoded.type == MessageType.ACK)
    assert (1, [], state) == (door.metrics.resends, door.asks, known.state)


def test_c11_a_copy_is_answered_up_to_its_bounds(door: Door, known: KnownContext) -> None:
    """Eight times to each of two addresses, the first one among them."""
    request = door.answered(device(), known)
    for way, count in ((FAR, MAX_COPY_RESENDS), (NEAR, MAX_COPY_RESENDS), (FARTHER, 0)):
        before = door.metrics.resends
        for number in range(10):
            door.take(copy(request, number), way=way)
        assert count == door.metrics.resends - before


def test_c11_a_copy_beyond_the_bounds_is_not_looked_up(door: Door, known: KnownContext) -> None:
    """Whoever repeats it for ever costs no read of the database each time."""
    request = door.answered(device(), known)
    door.take(*(copy(request, number) for number in range(MAX_COPY_RESENDS)))
    door.shelf.error = AssertionError("the database was read")
    assert Reason.COPY_REFUSED == door.drop_of(copy(request))


def test_c11_the_address_answered_first_is_one_of_the_two(door: Door, known: KnownContext) -> None:
    """As the row has it, also where no copy ever came from there."""
    request = door.answered(device(), known)
    door.take(copy(request), way=FAR)
    assert 1 == door.metrics.resends
    door.take(copy(request), way=FARTHER)
    assert (1, 1) == (door.metrics.resends, door.metrics.drops[Reason.COPY_REFUSED])


def test_c11_a_copy_is_answered_for_465_seconds(door: Door, known: KnownContext) -> None:
    """And not where the clock was set back behind the answer."""
    request = door.answered(device(), known)
    door.clock.now = NOW_MS + MAX_COPY_AGE_MS
    door.take(copy(request))
    assert 1 == door.metrics.resends
    for now in (NOW_MS + MAX_COPY_AGE_MS + 1, NOW_MS - 1):
        door.clock.now = now
        assert Reason.COPY_REFUSED == door.drop_of(copy(request))


def stored_without(known: KnownContext, what: str) -> StoredAnswer | None:
    """The stored answer of ``known`` as another registrar, or an operator, may have left it."""
    state = known.state
    changed = {
        "no row": None,
        "not good": StoredAnswer(state, good=False),
        "a newer number": StoredAnswer(state._replace(window=ReplayWindow(6, 3)), good=True),
        "another request": StoredAnswer(state._replace(request_digest=bytes(16)), good=True),
        "no request": StoredAnswer(state._replace(request_digest=None), good=True),
        "no answer": StoredAnswer(state._replace(answer=None), good=True),
        "no time": StoredAnswer(state._replace(answered_at_ms=None), good=True),
    }
    return changed[what]


@pytest.mark.parametrize(
    "what",
    [
        "no row", "not good", "a newer number", "another request", "no request", "no answer",
        "no time",
    ],
)  # fmt: skip
def test_c11_what_the_row_says_now_counts(door: Door, known: KnownContext, what: str) -> None:
    """Read anew for each copy: another registrar may have revoked, or moved on."""
    request = door.answered(device(first=5), known)
    stored = stored_without(known, what)
    door.shelf.stored = {} if stored is None else {1: stored}
    assert Reason.COPY_REFUSED == door.drop_of(copy(request))


def test_c11_only_the_very_same_bytes_are_a_copy(door: Door, known: KnownContext) -> None:
    """RFC 8613 §8.2."""
    request = door.answered(device(), known)
    assert Reason.REPLAYED == door.drop_of(request[:-1] + bytes((request[-1] ^ 1,)))


def test_c11_a_setting_turns_it_off(known: KnownContext) -> None:
    """RFC 9031 §7.3.2 read to the letter."""
    door = Door(known, retransmit_cache=False)
    request = door.answered(device(), known)
    assert Reason.REPLAYED == door.drop_of(copy(request))


def test_c11_a_damaged_row_is_silence(door: Door, known: KnownContext) -> None:
    """A row whose MAC does not fit is never used."""
    request = door.answered(device(), known)
    door.shelf.error = StateError("context_state 1")
    sent = len(door.outbox.sent)
    door.take(copy(request))
    assert (["context_state 1"], sent) == (door.metrics.damages, len(door.outbox.sent))


# What a request asks for


def inner(code: int, *options: tuple[int, bytes], payload: bytes = JOIN) -> bytes:
    return message.encode_inner(code, options, payload)


def test_c01_an_inner_request_may_repeat_host_and_port() -> None:
    """RFC 8613 §4.1.3.2."""
    options = ((3, b"6tisch.arpa"), (7, b"\x16\x33"), PATH)
    assert JoinRequest(b"\xca\xfe") == read_request(inner(CoapCode.POST, *options))


@pytest.mark.parametrize(
    ("plaintext", "code"),
    [
        (inner(CoapCode.POST), CoapCode.NOT_FOUND),
        (inner(CoapCode.POST, (11, b"J")), CoapCode.NOT_FOUND),
        (inner(CoapCode.POST, PATH, PATH), CoapCode.NOT_FOUND),
        (inner(CoapCode.GET, PATH), CoapCode.METHOD_NOT_ALLOWED),
        (inner(CoapCode.POST, PATH, (15, b"a=b")), CoapCode.BAD_OPTION),
        (inner(CoapCode.GET, (65001, b"")), CoapCode.BAD_OPTION),
    ],
)  # fmt: skip
def test_c04_what_is_no_post_to_j_inside_gets_a_protected_error(
    plaintext: bytes, code: int
) -> None:
    """RFC 7252 §5.4.1, §5.8."""
    refusal = read_request(plaintext)
    assert isinstance(refusal, Refusal)
    assert (code, b"") == (refusal.code, refusal.payload)


@pytest.mark.parametrize(
    ("payload", "diagnostic", "reason"),
    [
        ("a0", "830105f6", Reason.MALFORMED_OBJECT),
        ("a10501", "830105f6", Reason.MALFORMED_OBJECT),
        ("a20542cafe0542cafe", "830105f6", Reason.MALFORMED_OBJECT),
        ("a10542cafe00", "830105f6", Reason.MALFORMED_OBJECT),
        ("", "830105f6", Reason.MALFORMED_OBJECT),
        ("a20542cafe0900", "830009f6", Reason.UNKNOWN_PARAMETER),
        ("a201070542cafe", "83000107", Reason.UNKNOWN_ROLE),
    ],
)
def test_c04_c05_a_bad_object_gets_its_diagnostic(
    payload: str, diagnostic: str, reason: Reason
) -> None:
    """RFC 9031 §8.3.1, §8.3.2."""
    request = read_request(inner(CoapCode.POST, PATH, payload=bytes.fromhex(payload)))
    assert Refusal(CoapCode.BAD_REQUEST, bytes.fromhex(diagnostic), reason) == request


def test_b06_what_is_no_coap_inside_is_silence_and_holds_no_place(
    door: Door, known: KnownContext
) -> None:
    """RFC 9031 §7.3.2; the next request of the pledge is not kept waiting."""
    with pytest.raises(PeerError):
        read_request(b"")
    pledge = device()
    assert Reason.MALFORMED_INNER == door.drop_of(pledge.request(plaintext=b"\x00"))
    door.take(pledge.request(JOIN))
    assert 1 == len(door.asks)


# What requests say, remembered


@pytest.fixture
def memo() -> Iterator[Any]:
    """The memory of usual plaintexts, empty before and after."""
    intakes._read_usual.cache_clear()
    yield intakes._read_usual
    intakes._read_usual.cache_clear()


def asking(number: int, size: int = 0) -> bytes:
    """The plaintext of a Join Request for a network of its own, ``size`` bytes long if that."""
    payload = b"\xa1\x05\x44" + number.to_bytes(4)
    plain = inner(CoapCode.POST, PATH, payload=payload)
    padding = size - len(plain) - 2
    if padding > 0:
        payload = b"\xa1\x05\x58" + bytes((4 + padding + 1,)) + bytes(padding + 1)
        payload += number.to_bytes(4)
    return inner(CoapCode.POST, PATH, payload=payload)


def test_what_usual_requests_say_is_read_once(memo: Any) -> None:
    """Pledges of one network ask for the same in the same bytes; each still waits for itself."""
    contexts = [known_context(number) for number in range(1, 5)]
    door = Door(*contexts)
    door.take(*(device(number).request(JOIN) for number in range(1, 5)))
    assert (1, 3) == (memo.cache_info().misses, memo.cache_info().hits)
    assert [JoinRequest(b"\xca\xfe")] * 4 == [ask.content for ask in door.asks]
    assert contexts == [ask.known for ask in door.asks]


def test_usual_requests_are_told_apart_by_every_byte(memo: Any) -> None:
    """Also refused ones, whose diagnostics are remembered as well."""
    plaintexts = [
        asking(1), asking(2), inner(CoapCode.POST, PATH), inner(CoapCode.GET, PATH),
        inner(CoapCode.POST), inner(CoapCode.POST, PATH, payload=b"\xa0"),
    ]  # fmt: skip
    door = Door(known_context())
    for number, plaintext in enumerate(plaintexts * 2):
        door.take(device(first=number).request(plaintext=plaintext))
        assert read_request(plaintext) == door.asks[-1].content
        door.commit()
    assert len(plaintexts) == memo.cache_info().currsize


@pytest.mark.parametrize(("size", "kept"), [(63, 1), (64, 1), (65, 0), (200, 0)])
def test_what_is_longer_than_64_bytes_is_not_remembered(memo: Any, size: int, kept: int) -> None:
    """A pledge may report up to 1,024 bytes (row C12), and other ones with each request."""
    plaintext = asking(7, size)
    assert size == len(plaintext)
    door = Door(known_context())
    door.take(device().request(plaintext=plaintext))
    assert isinstance(door.asks[0].content, JoinRequest)
    assert kept == memo.cache_info().currsize


def test_what_is_remembered_is_bounded(memo: Any) -> None:
    """A pledge that asks for something else each time fills nothing."""
    door = Door(known_context())
    for number in range(600):
        door.take(device(first=number).request(plaintext=asking(number)))
        door.commit()
    info = memo.cache_info()
    assert info.maxsize is not None
    assert info.currsize <= info.maxsize <= 256


def test_b06_what_is_no_coap_inside_is_not_remembered(memo: Any, door: Door) -> None:
    """Nor taken for anything later."""
    for number in range(3):
        dropped = door.drop_of(device(first=number).request(plaintext=b"\x00"))
        assert Reason.MALFORMED_INNER == dropped
    assert 0 == memo.cache_info().currsize
