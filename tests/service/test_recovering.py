"""Row B7: a context that was lost is replaced by RFC 8613 App. B.2 (RFC 9031 §8.3.3)."""

import cbor2
import pytest

from jrc.cojp.oscore_context import derive_for_jrc
from jrc.errors import Reason
from jrc.lab.pledge import Joined, Recovering, Refused
from jrc.model import Profile
from jrc.service.attempts import Success
from jrc.service.copies import MAX_COPY_AGE_MS, MAX_COPY_RESENDS, MAX_SPARE_PER_S
from jrc.service.revoking import revoke_pledge
from tests.daemon.wire import OddPledge, ciphertext_of
from tests.joining import JOIN, Hall
from tests.service.recoveries import (
    CAFE,
    Peer,
    answered,
    begins,
    comes_back,
    contexts,
    copy,
    enroll,
    joins,
    lose,
    option_of,
    runs,
    with_option,
)


def test_b07_two_exchanges_bring_a_pledge_back(hall: Hall, peer: Peer) -> None:
    """RFC 8613 App. B.2: 4.01 with R2, then a join as any other under R2 || R3."""
    before = hall.row("node", "pledge_id = 1")
    begins(hall, peer)
    outcome = answered(hall, peer)
    assert isinstance(outcome, Joined)
    assert outcome.configuration.keys
    joins(hall, peer)
    assert before == hall.row("node", "pledge_id = 1")
    assert [(peer.context.id_context, 0)] == contexts(hall)
    kinds = [kind for (kind,) in hall.desk.sql("SELECT kind FROM event ORDER BY number")]
    assert kinds[-4:] == [
        "pledge.recovering",
        "pledge.recovered",
        "pledge.joined",
        "pledge.joined",
    ]


def test_b07_response_1_has_r2_in_a_bstr_and_no_partial_iv(hall: Hall, peer: Peer) -> None:
    """RFC 8613 App. B.2 step 2; at least 8 bytes (RFC 9031 §8.3.3)."""
    answer = hall.ask(peer.request())
    assert answer is not None
    option = option_of(answer)
    assert (None, None) == (option.piv, option.kid)
    assert 16 == len(cbor2.loads(option.kid_context or b""))


def test_b07_response_1_tells_no_configuration(hall: Hall, peer: Peer) -> None:
    """RFC 9031 §8.3.3: a 4.01 and nothing else, whatever the request asks for."""
    answer = hall.ask(peer.request())
    assert answer is not None
    assert 1 + 8 == len(ciphertext_of(answer))


def test_b07_r2_is_on_disk_before_response_1_leaves(hall: Hall, peer: Peer) -> None:
    """RFC 9031 §7.3.1: a registrar that dies with the answer on its way knows what it said."""
    answer = hall.ask(peer.request())
    assert answer is not None
    r2 = cbor2.loads(option_of(answer).kid_context or b"")
    assert [(r2,)] == hall.desk.sql("SELECT r2 FROM recovery_run")


@pytest.mark.parametrize("wrapped", [True, False])
def test_b07_id3_is_matched_raw_and_wrapped(hall: Hall, peer: Peer, wrapped: bool) -> None:
    """RFC 8613 App. B.2 step 3 wraps it; a peer that keeps it as ID Context may send it bare."""
    comes_back(hall, peer)
    odd = OddPledge(b"?", bytes(16), number=70)
    id3 = peer.context.id_context
    odd.context = derive_for_jrc(peer._psk.reveal(), id3).mirrored()
    named = cbor2.dumps(id3) if wrapped else id3
    option = option_of(odd.request(JOIN))
    again = odd.request(JOIN)  # the number after it
    answer = hall.ask(with_option(again, option._replace(kid_context=named, piv=odd.partial_iv)))
    assert answer is not None
    assert 0x44 == odd.open(answer).code


def test_b07_a_raw_id3_is_taken_for_request_2(hall: Hall, peer: Peer) -> None:
    """Row B7: matched raw and wrapped, request #2 as well."""
    begins(hall, peer)
    request = peer.request()
    option = option_of(request)
    raw = option._replace(kid_context=cbor2.loads(option.kid_context or b""))
    answer = hall.ask(with_option(request, raw))
    assert answer is not None
    assert isinstance(peer.receive(answer), Joined)


def test_b07_a_copy_of_request_1_gets_the_same_answer(hall: Hall, peer: Peer) -> None:
    """RFC 8613 §5.2: one R2 and one ciphertext for one request, however often it comes."""
    request = peer.request()
    first, again = hall.ask(request), hall.ask(copy(request))
    assert first is not None
    assert again is not None
    assert (option_of(first), ciphertext_of(first)) == (option_of(again), ciphertext_of(again))
    assert 1 == len(runs(hall))


def test_b07_copies_of_request_1_are_bounded_and_not_answered_for_ever(
    hall: Hall, peer: Peer
) -> None:
    """Rows B7, C11: what an eavesdropper can make us send is bounded."""
    request = peer.request()
    hall.ask(request)
    bound = MAX_COPY_RESENDS + MAX_SPARE_PER_S
    assert bound == sum(hall.ask(copy(request)) is not None for _ in range(bound + 9))
    other = peer.request()
    hall.ask(other)
    hall.desk.now_ms += MAX_COPY_AGE_MS + 1
    assert hall.ask(copy(other)) is None


def test_b07_c11_a_copy_of_request_2_gets_the_stored_answer(hall: Hall, peer: Peer) -> None:
    """RFC 8613 App. B.2 step 4: a replayed request #2 is not accepted; its copy is answered."""
    begins(hall, peer)
    request = peer.request()
    first = hall.ask(request)
    events = len(hall.desk.sql("SELECT number FROM event"))
    again = hall.ask(copy(request))
    assert first is not None
    assert again is not None
    assert ciphertext_of(first) == ciphertext_of(again)
    assert events == len(hall.desk.sql("SELECT number FROM event"))


def test_b07_a_lost_response_2_locks_nobody_out(hall: Hall, peer: Peer) -> None:
    """Row B7: until a later message verifies under ID3, request #1 starts again."""
    for _ in range(3):
        begins(hall, peer)
        assert hall.ask(peer.request()) is not None  # and it is lost
    comes_back(hall, peer)
    assert 2 == len(contexts(hall))


def test_b07_a_later_message_ends_the_old_context(hall: Hall, peer: Peer) -> None:
    """RFC 8613 App. B.2 step 5: its keys are gone, and it begins no run any more."""
    old = peer.context
    comes_back(hall, peer)
    new = peer.context
    peer.context = old
    begins(hall, peer)
    peer.context, peer._offered = new, None
    joins(hall, peer)
    assert [(new.id_context, 0)] == contexts(hall)
    assert [] == runs(hall)
    peer.context = old
    assert answered(hall, peer) is None


def test_b07_a_forged_r2_is_silence(hall: Hall, peer: Peer) -> None:
    """Row N15: a kid context of nobody, one of a run with another key, one that is cut."""
    begins(hall, peer)
    request = peer.request()
    option = option_of(request)
    kid_context = option.kid_context or b""
    changed_r3 = kid_context[:-1] + bytes((kid_context[-1] ^ 1,))
    changed_r2 = kid_context[:3] + bytes((kid_context[3] ^ 1,)) + kid_context[4:]
    for forged in (
        changed_r3,
        changed_r2,
        kid_context[:-1],
        kid_context[2:18],
        b"\x50" + bytes(16),
    ):
        assert hall.ask(with_option(request, option._replace(kid_context=forged))) is None
    answer = hall.ask(request)
    assert answer is not None
    assert isinstance(peer.receive(answer), Joined)


def test_b07_a_run_begun_by_a_clients_own_r1_is_silent(hall: Hall, peer: Peer) -> None:
    """Row N15: it names nobody, so that nobody's keys could be derived for it."""
    odd = peer.odd()
    r1 = cbor2.dumps(b"\x0f" * 8)
    odd.context = derive_for_jrc(peer._psk.reveal(), r1).mirrored()
    assert hall.ask(odd.request(JOIN)) is None
    assert {Reason.UNKNOWN_CONTEXT: 1} == hall.metrics.drops


def test_b07_n10_nothing_but_app_b2_is_done_under_the_old_context(hall: Hall, peer: Peer) -> None:
    """Row N10: no request under it is admitted, not even one that was never seen."""
    peer.context.sender_sequence_number = 10_000
    begins(hall, peer)
    assert not [each for each in hall.metrics.answers[1:] if each[1] is None]


def test_b07_a_revoked_pledge_is_silent_in_both_exchanges(hall: Hall, peer: Peer) -> None:
    """RFC 9031 §9: revocation counts before anything else."""
    request = peer.request()
    first = hall.ask(request)
    assert first is not None
    assert isinstance(peer.receive(first), Recovering)
    hall.act(revoke_pledge)
    hall.contexts.forget_all()
    assert hall.ask(copy(request)) is None
    assert answered(hall, peer) is None
    assert hall.ask(peer.request()) is None


def test_b07_a_refused_request_2_completes_the_run_all_the_same(hall: Hall, peer: Peer) -> None:
    """RFC 8613 App. B.2: what is refused is the join, under the new context."""
    begins(hall, peer)
    peer.network_id = b"\xbe\xef"
    assert isinstance(answered(hall, peer), Refused)
    peer.network_id = CAFE
    joins(hall, peer)


def test_b07_a_pledge_of_a_profile_without_app_b2_is_silent(hall: Hall) -> None:
    """RFC 9031 §8.3.3: it is listed, for it has to be provisioned anew."""
    pledge = enroll(hall, profile=Profile.OPENWSN)
    lose(hall)
    assert answered(hall, pledge) is None
    assert {Reason.NOT_RECOVERABLE: 1} == hall.metrics.drops
    assert (1, 1) == hall.desk.write(lambda tx: tx.recoveries.counts())


def test_b07_a_context_that_a_run_gave_can_be_lost_as_well(hall: Hall, peer: Peer) -> None:
    """RFC 8613 App. B.2: ID1 is then the ID3 before; whichever of the two the pledge has works."""
    first = peer.context
    comes_back(hall, peer)
    lose(hall)
    comes_back(hall, peer)
    peer.context = first
    comes_back(hall, peer)
    joins(hall, peer)
    assert 1 == len(contexts(hall))


def test_b07_attempts_are_the_pledges_whatever_the_kid_context(hall: Hall, peer: Peer) -> None:
    """RFC 9031 §8.3.3: the new ID Context is mapped to the pledge identifier used before."""
    begins(hall, peer)
    request = peer.request()
    assert isinstance(peer.receive(hall.ask(request) or b""), Joined)
    hall.ask(copy(request))
    peer.context.sender_sequence_number = 0
    hall.ask(peer.request())
    found = [attempt.outcome for attempt in hall.attempts.of(peer.identifier)]
    assert {Reason.RECOVERING, Success.JOINED, Success.RESENT, Reason.REPLAYED} >= set(found)
    assert Success.RESENT in found


def test_b07_what_it_may_have_been_told_is_not_forgotten(hall: Hall, peer: Peer) -> None:
    """RFC 9031 §8.4.4.1: the identifier stays its own, the keys known to be with it."""
    before = hall.row("short_identifier", "pledge_id = 1")[:3]
    comes_back(hall, peer)
    assert before == hall.row("short_identifier", "pledge_id = 1")[:3]


def test_n03_b07_a_request_2_under_the_id_context_of_response_1_is_silent(
    hall: Hall, peer: Peer
) -> None:
    """RFC 8613 §5.2: with R3 = ID1 the answer would share keys and nonce with response #1."""
    peer._random = lambda _length: peer.identifier
    number = peer.context.sender_sequence_number
    begins(hall, peer)
    assert peer._offered is not None
    peer._offered.sender_sequence_number = number
    assert hall.ask(peer.request()) is None
    assert 1 == hall.metrics.drops[Reason.UNKNOWN_CONTEXT]
    assert [1] == [len(contexts(hall))]
