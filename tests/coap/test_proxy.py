"""The stateless Join Proxy: what passes, as what, and what ends in silence (RFC 9031 §7.1)."""

import gc
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrc.coap.blocklist import Blocklist
from jrc.coap.proxy import CLIENT_MAX_TOKEN_BYTES, Answer, JoinProxy, Peer
from jrc.coap.token import FRESHNESS_MS, TokenSealer
from jrc.cojp import message
from jrc.cojp.constants import CoapCode, MessageType, OptionNumber
from jrc.cojp.message import Message
from jrc.errors import Reason
from jrc.policy.rate import PACKET_PERIOD_MS, ByteRate

LINK_LOCAL = bytes.fromhex("fe80000000000000021b4b0014b5b67e")
PEER = Peer(LINK_LOCAL, 61616, 3)
OSCORE = (OptionNumber.OSCORE, b"\x19\x00\x08\x00\x12\x4b\x00\x14\xb5\xb6\x7e")
HOST = (OptionNumber.URI_HOST, b"6tisch.arpa")
SCHEME = (OptionNumber.PROXY_SCHEME, b"coap")
REQUEST = Message(
    MessageType.CON, CoapCode.POST, 0x1234, b"\x05", (HOST, OSCORE, SCHEME), b"sealed"
)
FIRST_MESSAGE_ID = 0xFFFE


FAST = 10_000_000


def make_proxy(rate: int | None = FAST) -> JoinProxy:
    sealer = TokenSealer(lambda size: b"k" * size, 0, replay_slots=64)
    return JoinProxy(sealer, FIRST_MESSAGE_ID, ByteRate(rate, 0))


def returned(proxy: JoinProxy, datagram: bytes, now_ms: int = 0) -> Answer:
    """What comes of an answer that must go back."""
    answer = proxy.from_jrc(datagram, now_ms)
    assert answer is not None
    return answer


def forward(proxy: JoinProxy, request: Message = REQUEST, now_ms: int = 0) -> Message:
    datagram = proxy.from_pledge(message.encode(request), PEER, now_ms)
    assert datagram is not None
    return message.decode(datagram)


def answer_to(forwarded: Message, **changes: object) -> bytes:
    """What a registrar sends for a forwarded request."""
    answer = Message(
        MessageType.NON,
        CoapCode.CHANGED,
        77,
        forwarded.token,
        ((OptionNumber.OSCORE, b""),),
        b"keys",
    )
    return message.encode(answer._replace(**changes))  # type: ignore[arg-type]


def refusal(request: Message | bytes) -> Reason:
    """Why a request is not forwarded."""
    proxy = make_proxy()
    datagram = request if isinstance(request, bytes) else message.encode(request)
    assert proxy.from_pledge(datagram, PEER, 0) is None
    assert proxy.forwarded == 0
    (reason,) = proxy.dropped.elements()
    return reason


def with_options(*options: tuple[int, bytes]) -> Message:
    return REQUEST._replace(options=options)


@given(
    peer=st.builds(
        Peer,
        st.binary(min_size=16, max_size=16),
        st.integers(1, 0xFFFF),
        st.just(0),
        st.just(b"") | st.binary(min_size=16, max_size=16),
    ),
    message_type=st.sampled_from([MessageType.CON, MessageType.NON]),
    message_id=st.integers(0, 0xFFFF),
    token=st.binary(max_size=300),
    payload=st.binary(min_size=1, max_size=60),
)
def test_p03_the_answer_returns_to_the_peer_as_what_it_sent(
    peer: Peer, message_type: MessageType, message_id: int, token: bytes, payload: bytes
) -> None:
    """An ACK with its message id for a CON, a NON for a NON, its own token (RFC 7252 §5.2)."""
    proxy = make_proxy()
    request = REQUEST._replace(type=message_type, message_id=message_id, token=token)
    datagram = proxy.from_pledge(message.encode(request), peer, 0)
    assert datagram is not None
    outgoing = returned(proxy, answer_to(message.decode(datagram), payload=payload), 1)
    answer = message.decode(outgoing.datagram)
    assert (outgoing.peer, outgoing.acknowledgement) == (peer, b"")
    assert (answer.token, answer.payload, answer.code) == (token, payload, CoapCode.CHANGED)
    if message_type == MessageType.CON:
        assert (answer.type, answer.message_id) == (MessageType.ACK, message_id)
    else:
        assert answer.type == MessageType.NON
    assert proxy.dropped.total() == 0


@pytest.mark.parametrize("message_type", [MessageType.CON, MessageType.NON])
def test_p02_a_request_goes_on_as_non_without_proxy_scheme(message_type: MessageType) -> None:
    """The forwarded type MUST be NON; Uri-Host stays, Proxy-Scheme does not (RFC 9031 §7.1)."""
    forwarded = forward(make_proxy(), REQUEST._replace(type=message_type))
    assert forwarded.type == MessageType.NON
    assert forwarded.options == (HOST, OSCORE)
    assert (forwarded.code, forwarded.payload) == (REQUEST.code, REQUEST.payload)


def test_p02_a_request_without_proxy_scheme_is_forwarded() -> None:
    """Uri-Host alone names the registrar too (RFC 9031 §8.1.1)."""
    assert forward(make_proxy(), with_options(HOST, OSCORE)).options == (HOST, OSCORE)


def test_p02_the_alias_counts_in_any_case() -> None:
    """Host names have no case; the value goes on as it came (RFC 7252 §6.1)."""
    host = (OptionNumber.URI_HOST, b"6TiSCH.ARPA")
    assert forward(make_proxy(), with_options(host, OSCORE, SCHEME)).options == (host, OSCORE)


def test_p02_each_forwarded_request_has_a_message_id_of_its_own() -> None:
    """A copy from the pledge is a new message on the way to the registrar (RFC 7252 §4.4)."""
    proxy = make_proxy()
    assert [forward(proxy).message_id for _ in range(3)] == [0xFFFF, 0, 1]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ((OSCORE, SCHEME), Reason.WRONG_HOST),
        (((OptionNumber.URI_HOST, b"6tisch.arp"), OSCORE), Reason.WRONG_HOST),
        (((OptionNumber.URI_HOST, b"example.org"), OSCORE, SCHEME), Reason.WRONG_HOST),
        (((OptionNumber.URI_HOST, b"\xff\xfe"), OSCORE, SCHEME), Reason.WRONG_HOST),
        ((HOST, HOST, OSCORE), Reason.WRONG_HOST),
        ((HOST, OSCORE, (OptionNumber.PROXY_SCHEME, b"coaps")), Reason.WRONG_SCHEME),
        ((HOST, OSCORE, (OptionNumber.PROXY_SCHEME, b"")), Reason.WRONG_SCHEME),
        ((HOST, OSCORE, SCHEME, SCHEME), Reason.WRONG_SCHEME),
        ((HOST, (OptionNumber.URI_PORT, b"\x50"), OSCORE), Reason.UNSAFE_OPTION),
        ((HOST, OSCORE, (OptionNumber.PROXY_URI, b"coap://6tisch.arpa/j")), Reason.UNSAFE_OPTION),
        ((HOST, SCHEME), Reason.UNPROTECTED),
    ],
)
def test_p02_nothing_but_joining_is_forwarded(
    options: tuple[tuple[int, bytes], ...], reason: Reason
) -> None:
    """A neighbour reaches the registrar through a proxy and nobody else (RFC 9031 §9)."""
    assert refusal(with_options(*options)) is reason


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (REQUEST._replace(type=MessageType.ACK), Reason.NOT_A_REQUEST),
        (REQUEST._replace(code=CoapCode.CHANGED), Reason.NOT_A_REQUEST),
        (REQUEST._replace(code=CoapCode.GET), Reason.OUTER_CODE),
        (b"\x40\x00\x00\x01", Reason.NOT_A_REQUEST),
        (b"\x70\x00\x00\x01", Reason.NOT_A_REQUEST),
        (b"", Reason.MALFORMED_MESSAGE),
        (b"\xff" * 40, Reason.MALFORMED_MESSAGE),
        (b"\x40" * 4097, Reason.TOO_LONG),
    ],
)
def test_p07_bad_messages_end_in_silence(request_: Message | bytes, reason: Reason) -> None:
    """Where RFC 7252 §5.7 has an error sent to a stranger, nothing is sent (RFC 9031 §7.3.2)."""
    assert refusal(request_) is reason


def test_p07_a_request_cut_at_any_byte_is_dropped_unless_a_payload_is_left() -> None:
    """The codec is total (RFC 7252 §3); OSCORE without a payload is malformed (RFC 8613 §2)."""
    datagram = message.encode(REQUEST)
    payload_at = len(datagram) - len(REQUEST.payload)
    for size in range(len(datagram)):
        proxy = make_proxy()
        forwarded = proxy.from_pledge(datagram[:size], PEER, 0)
        assert (forwarded is not None) == (size > payload_at), size


def test_p07_unknown_options_that_are_safe_go_on_both_ways() -> None:
    """Safe-to-Forward options are forwarded unseen (RFC 7252 §5.7.1)."""
    safe = ((OptionNumber.HOP_LIMIT, b"\x10"), (40, b"state"), (65000, b""))
    proxy = make_proxy()
    forwarded = forward(proxy, with_options(HOST, OSCORE, *safe[:1], SCHEME, *safe[1:]))
    assert forwarded.options == (HOST, OSCORE, *safe)
    options = ((OptionNumber.OSCORE, b""), (OptionNumber.MAX_AGE, b""), (40, b"state"))
    outgoing = returned(proxy, answer_to(forwarded, options=options))
    assert message.decode(outgoing.datagram).options == options


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (OptionNumber.OBSERVE, Reason.OBSERVE),
        (OptionNumber.BLOCK1, Reason.UNSAFE_OPTION),
        (OptionNumber.BLOCK2, Reason.UNSAFE_OPTION),
        (65002, Reason.UNSAFE_OPTION),
    ],
)
def test_p07_unsafe_options_stop_a_message_both_ways(number: int, reason: Reason) -> None:
    """Observe MUST NOT be forwarded (RFC 8974 §4.1), nor what is unsafe and unknown to us."""
    options = tuple(sorted((HOST, OSCORE, (number, b""))))
    assert refusal(with_options(*options)) is reason
    proxy = make_proxy()
    options = tuple(sorted(((OptionNumber.OSCORE, b""), (number, b""))))
    assert proxy.from_jrc(answer_to(forward(proxy), options=options), 0) is None
    assert proxy.dropped == {reason: 1}


def test_p06_tokens_of_pledges_pass_up_to_the_stated_limit() -> None:
    """Extended tokens from clients are taken up to 512 bytes (RFC 8974 §4.4)."""
    longest = b"t" * CLIENT_MAX_TOKEN_BYTES
    assert len(forward(make_proxy(), REQUEST._replace(token=longest)).token) <= 1024
    assert refusal(REQUEST._replace(token=longest + b"t")) is Reason.TOKEN_TOO_LONG


def test_p08_a_piggybacked_answer_is_returned() -> None:
    """Any type of response may come to a NON (RFC 8974 §3.3)."""
    proxy = make_proxy()
    outgoing = returned(proxy, answer_to(forward(proxy), type=MessageType.ACK))
    assert message.decode(outgoing.datagram).payload == b"keys"


def test_p08_a_separate_answer_is_acknowledged_each_time_and_returned_once() -> None:
    """Copies of a confirmable response are acknowledged, not forwarded (RFC 7252 §4.2)."""
    proxy = make_proxy()
    separate = answer_to(forward(proxy), type=MessageType.CON)
    first, second = returned(proxy, separate), returned(proxy, separate)
    assert first.peer == PEER
    assert first.acknowledgement == second.acknowledgement == b"\x60\x00\x00\x4d"
    assert (bool(first.datagram), bool(second.datagram)) == (True, False)
    assert (proxy.returned, proxy.dropped) == (1, {Reason.TOKEN_REPLAYED: 1})


@pytest.mark.parametrize(
    ("changes", "now_ms", "reason"),
    [
        ({"code": CoapCode.EMPTY, "token": b"", "options": (), "payload": b""}, 0,
         Reason.NOT_A_RESPONSE),
        ({"code": CoapCode.POST}, 0, Reason.NOT_A_RESPONSE),
        ({"type": MessageType.RST}, 0, Reason.NOT_A_RESPONSE),
        ({"options": ()}, 0, Reason.UNPROTECTED),
        ({"token": b""}, 0, Reason.TOKEN_FORGED),
        ({"token": b"\x00" * 31}, 0, Reason.TOKEN_FORGED),
        ({"token": b"\x00" * 31, "type": MessageType.CON}, 0, Reason.TOKEN_FORGED),
        ({}, FRESHNESS_MS + 1, Reason.TOKEN_STALE),
        ({"type": MessageType.CON}, FRESHNESS_MS + 1, Reason.TOKEN_STALE),
    ],
)  # fmt: skip
def test_p01_an_answer_with_a_bad_token_goes_nowhere(
    changes: dict[str, object], now_ms: int, reason: Reason
) -> None:
    """Forged and stale tokens are dropped, and nobody is told (RFC 8974 §3.3)."""
    proxy = make_proxy()
    assert proxy.from_jrc(answer_to(forward(proxy), **changes), now_ms) is None
    assert proxy.dropped == {reason: 1}


def test_p01_a_replayed_answer_goes_nowhere() -> None:
    """A token comes back once (RFC 8974 §3.1)."""
    proxy = make_proxy()
    answer = answer_to(forward(proxy))
    assert returned(proxy, answer).datagram
    assert proxy.from_jrc(answer, 0) is None


@given(st.binary(max_size=120))
def test_p01_any_bytes_from_either_side_are_survived(datagram: bytes) -> None:
    """Both directions are total (RFC 8974 §5.2)."""
    proxy = make_proxy()
    proxy.from_pledge(datagram, PEER, 0)
    assert proxy.from_jrc(datagram, 0) is None


def test_p01_what_the_proxy_holds_does_not_grow_with_pledges() -> None:
    """No state per pledge (RFC 9031 §7.1): nothing that 20,000 requests allocate outlives them."""
    proxy, datagram = make_proxy(), message.encode(REQUEST)
    peers = [PEER._replace(address=PEER.address[:14] + at.to_bytes(2)) for at in range(20_000)]
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for peer in peers:
            assert proxy.from_pledge(datagram, peer, 0)
        gc.collect()
        left = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert proxy.forwarded == 20_000
    assert left < 20_000


def test_p04_over_the_rate_a_request_is_dropped_and_counted() -> None:
    """Join traffic stays under the join rate; what is over it ends in silence (RFC 9031 §7.2)."""
    proxy, datagram = make_proxy(None), message.encode(REQUEST)
    assert proxy.from_pledge(datagram, PEER, 0)
    assert proxy.from_pledge(datagram, PEER, PACKET_PERIOD_MS - 1) is None
    assert proxy.from_pledge(datagram, PEER, PACKET_PERIOD_MS)
    assert proxy.dropped == {Reason.JOIN_RATE: 1}


def test_p04_bad_datagrams_use_nothing_of_the_rate() -> None:
    """Only what goes out counts (RFC 9031 §7.2)."""
    proxy = make_proxy(None)
    for _ in range(10):
        assert proxy.from_pledge(message.encode(with_options(HOST)), PEER, 0) is None
    assert proxy.from_pledge(message.encode(REQUEST), PEER, 0)


def test_p04_the_rate_counts_what_leaves() -> None:
    """The sealed token is part of the join traffic (RFC 9031 §8.4.2)."""
    proxy, datagram = make_proxy(100), message.encode(REQUEST)
    sent = 0
    while (forwarded := proxy.from_pledge(datagram, PEER, 0)) is not None:
        sent += len(forwarded)
    assert 1000 <= sent < 1000 + 2 * len(datagram) + 40


def test_p05_pledges_on_the_blocklist_are_dropped_until_they_are_off_it() -> None:
    """By link-layer source or kid context, and settable while it runs (RFC 9031 §8.4.2)."""
    proxy, datagram = make_proxy(), message.encode(REQUEST)
    elsewhere = PEER._replace(address=bytes.fromhex("fe80") + bytes(13) + b"\x01")
    proxy.blocklist = Blocklist.of([bytes.fromhex("00124b0014b5b67e")])
    assert proxy.from_pledge(datagram, elsewhere, 0) is None
    proxy.blocklist = Blocklist.of([bytes.fromhex("001b4b0014b5b67e")])
    assert proxy.from_pledge(datagram, elsewhere, 0)
    assert proxy.from_pledge(datagram, PEER, 0) is None
    proxy.blocklist = Blocklist()
    assert proxy.from_pledge(datagram, PEER, 0)
    assert proxy.dropped == {Reason.BLOCKLISTED: 2}
