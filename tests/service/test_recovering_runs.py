"""Row B7: open runs of RFC 8613 App. B.2: how many, for how long, and who ends which."""

from collections.abc import Iterator, Sequence

import cbor2
import pytest

from jrc.cojp import oscore
from jrc.lab.pledge import Recovering
from jrc.service.open_runs import LOWER_PAUSE_MS, RUN_LIFETIME_MS
from jrc.service.recovering import MAX_LOWER_RUNS, MAX_RUNS
from tests.daemon.wire import OddPledge, ciphertext_of
from tests.joining import JOIN, Hall, hall_at
from tests.service.recoveries import (
    Peer,
    answered,
    begins,
    comes_back,
    contexts,
    copy,
    joins,
    lose,
    option_of,
    runs,
)


def later(hall: Hall) -> None:
    """The pause between two runs with lower numbers is over."""
    hall.desk.now_ms += LOWER_PAUSE_MS


def replays(hall: Hall, recorded: Sequence[bytes]) -> None:
    """An eavesdropper repeats what he has recorded, as fast as he may."""
    for request in recorded:
        later(hall)
        hall.ask(request)


def test_b07_a_request_1_with_a_lower_number_begins_a_run_once_a_second(
    hall: Hall, peer: Peer
) -> None:
    """Row T19: replays of what was answered before the loss cost a commit a second at most."""
    odd = peer.odd()
    odd.number = 3
    old = [odd.request(JOIN) for _ in range(3)]
    begins(hall, peer)
    assert [True, False, False] == [hall.ask(request) is not None for request in old]
    assert [3, 6] == runs(hall)
    later(hall)
    assert hall.ask(old[1]) is not None
    assert [3, 4, 6] == runs(hall)


def test_b07_a_device_without_its_numbers_comes_back_beside_replays_of_higher_ones(
    hall: Hall, peer: Peer
) -> None:
    """RFC 8613 App. B.2: of as many requests as there are places; the answers verify for it."""
    odd = peer.odd()
    odd.number = 500
    recorded = [odd.request(JOIN) for _ in range(MAX_RUNS + MAX_LOWER_RUNS)]
    replays(hall, recorded)
    later(hall)
    begins(hall, peer)
    replays(hall, recorded[: MAX_LOWER_RUNS - 1])
    joins(hall, peer)


def test_b05_no_two_runs_answer_one_number_under_one_key(hall: Hall, peer: Peer) -> None:
    """RFC 8613 §5.2: a nonce comes again, and never with its key."""
    odd = peer.odd()
    seen = set()
    for content in (JOIN, JOIN + bytes(1), JOIN + bytes(2)):
        odd.number = 7
        later(hall)
        answer = hall.ask(odd.request(content))
        assert answer is not None
        seen.add(option_of(answer).kid_context)
    assert 3 == len(seen)
    assert [7, 7, 7] == runs(hall)


def test_b07_full_slots_give_way_to_the_higher_number(hall: Hall, peer: Peer) -> None:
    """RFC 8613 App. B.2.1: what waits is bounded, and the device itself has the highest number."""
    odd = peer.odd()
    for _ in range(30):
        assert hall.ask(odd.request(JOIN)) is not None
    peer.context.sender_sequence_number = 30
    begins(hall, peer)
    assert list(range(31 - MAX_RUNS - MAX_LOWER_RUNS, 31)) == runs(hall)
    joins(hall, peer)
    assert [] == runs(hall)


def test_b07_replays_of_lower_numbers_push_out_no_run_of_a_higher_one(
    hall: Hall, peer: Peer
) -> None:
    """A device that has kept its numbers is not hindered by whoever has listened."""
    odd = peer.odd()
    recorded = [odd.request(JOIN) for _ in range(2 * MAX_LOWER_RUNS)]
    peer.context.sender_sequence_number = 100
    begins(hall, peer)
    replays(hall, recorded)
    assert 100 in runs(hall)
    joins(hall, peer)


def test_b07_replays_of_an_older_context_push_out_no_run_of_a_later_one(
    hall: Hall, peer: Peer
) -> None:
    """RFC 8613 App. B.2.1: whoever has listened has old requests, and each begins one run."""
    comes_back(hall, peer)
    lose(hall)
    begins(hall, peer)
    listened = OddPledge(peer.identifier, peer._psk.reveal(), number=50)
    for _ in range(MAX_RUNS + MAX_LOWER_RUNS + 6):
        assert hall.ask(listened.request(JOIN)) is not None
    assert 1 + MAX_RUNS + MAX_LOWER_RUNS == len(runs(hall))
    joins(hall, peer)


def test_b07_runs_that_are_old_go(hall: Hall, peer: Peer) -> None:
    """RFC 8613 App. B.2.1: what is never completed is cleared up."""
    hall.ask(peer.request())
    hall.desk.now_ms += RUN_LIFETIME_MS + 1
    hall.ask(peer.request())
    assert [7] == runs(hall)
    assert 1 == len(hall.contexts.runs)


def test_b07_any_of_the_runs_can_be_completed_and_ends_the_others(hall: Hall, peer: Peer) -> None:
    """RFC 8613 App. B.2 step 4: several requests #1, of which answers cross."""
    requests, answers = [], []
    for _ in range(3):
        requests.append(peer.request())
        answers.append((peer._open, hall.ask(requests[-1])))
    peer._open, answer = answers[1]
    assert answer is not None
    assert isinstance(peer.receive(answer), Recovering)
    first_offer = peer._offered
    peer._open, answer = answers[2]
    assert answer is not None
    assert isinstance(peer.receive(answer), Recovering)
    peer._offered, second_offer = first_offer, peer._offered
    joins(hall, peer)
    peer._offered = second_offer
    assert answered(hall, peer) is None
    assert [] == runs(hall)


def test_b07_a_restart_between_the_two_exchanges_changes_nothing(hall: Hall, peer: Peer) -> None:
    """RFC 9031 §7.3.1: all of a run is in the database."""
    request = peer.request()
    first = hall.ask(request)
    assert first is not None
    with hall_at(hall.desk) as other:
        again = other.ask(copy(request))
        assert again is not None
        assert ciphertext_of(first) == ciphertext_of(again)
        assert isinstance(peer.receive(first), Recovering)
        joins(other, peer)


def test_b07_no_r2_is_ever_in_two_contexts(hall: Hall, peer: Peer) -> None:
    """Row N11: R2 is the key of its row, so that drawing one twice ends in silence."""
    hall.database.random = lambda count: bytes(count)
    assert hall.ask(peer.request()) is not None
    assert hall.ask(peer.request()) is None
    assert 1 == len(runs(hall))


@pytest.fixture
def strangers() -> Iterator[bytes]:
    return (cbor2.dumps(number.to_bytes(24)) for number in range(100))


def test_n15_strangers_cost_no_read_while_runs_are_open(
    hall: Hall, peer: Peer, strangers: Iterator[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 9031 §7.3.2: only what begins with an open R2 is looked up."""
    begins(hall, peer)

    def refused(kid_context: bytes) -> None:
        raise AssertionError(f"{kid_context.hex()} was looked up")

    monkeypatch.setattr(hall.lookup.runs, "claimed", refused)
    odd = peer.odd()
    for stranger in strangers:
        option = oscore.encode_option(oscore.OscoreOption(b"\x01", b"", stranger))
        assert hall.ask(odd.request(JOIN, option=option)) is None


def test_b07_n11_a_request_2_whose_run_has_ended_meanwhile_is_silent(
    hall: Hall, peer: Peer
) -> None:
    """Row N11: the run is looked at again in the transaction, so that it is completed once."""
    begins(hall, peer)
    request = peer.request()
    with hall_at(hall.desk) as other:
        other.take(request)
        hall.take(request)
        hall.commit()
        other.commit()
        assert (1, 0) == (len(hall.outbox.sent[2:]), len(other.outbox.sent))
    assert 2 == len(contexts(hall))


def test_b07_n11_a_loss_between_request_2_and_its_transaction_ends_the_run(
    hall: Hall, peer: Peer
) -> None:
    """RFC 8613 App. B.2.1: whoever is marked as lost begins anew."""
    begins(hall, peer)
    before = len(hall.outbox.sent)
    hall.take(peer.request())
    lose(hall)
    hall.desk.sql("DELETE FROM recovery_run")
    hall.commit()
    assert before == len(hall.outbox.sent)
    begins(hall, peer)
