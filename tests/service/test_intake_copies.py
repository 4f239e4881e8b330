"""Copies of a request: which get the stored answer again, how often, and for how long (row C11)."""

import pytest

from jrc.cojp import message
from jrc.cojp.constants import MessageType
from jrc.cojp.replay import ReplayWindow
from jrc.errors import Reason, StateError
from jrc.service.copies import MAX_COPY_AGE_MS, MAX_COPY_RESENDS, MAX_SPARE_PER_S
from jrc.service.join_ports import KnownContext, StoredAnswer
from tests.service.door import ANSWER, FAR, FARTHER, NEAR, Door, copy
from tests.service.fakes import NOW_MS, device


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
    """A share for each of two addresses, the first one among them, and one budget beyond."""
    request = door.answered(device(), known)
    for way, count in (
        (FAR, MAX_COPY_RESENDS + MAX_SPARE_PER_S),
        (NEAR, MAX_COPY_RESENDS),
        (FARTHER, 0),
    ):
        before = door.metrics.resends
        for number in range(600):
            door.take(copy(request, number), way=way)
        assert count == door.metrics.resends - before


def test_c11_a_copy_beyond_the_bounds_is_not_looked_up(door: Door, known: KnownContext) -> None:
    """Whoever repeats it for ever costs no read of the database each time."""
    request = door.answered(device(), known)
    copies = MAX_COPY_RESENDS + MAX_SPARE_PER_S
    door.take(*(copy(request, number) for number in range(copies)))
    door.shelf.error = AssertionError("the database was read")
    assert Reason.COPY_REFUSED == door.drop_of(copy(request))


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
