"""Which messages pass, by a few bytes or option by option, with one result (RFC 7252 §5.7)."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrc.coap import proxy_message
from jrc.coap.proxy_message import read_request, read_response, write
from jrc.cojp import message
from jrc.cojp.constants import CoapCode, MessageType, OptionNumber
from jrc.cojp.message import Message
from jrc.errors import PeerError

HOST = (int(OptionNumber.URI_HOST), b"6tisch.arpa")
SCHEME = (int(OptionNumber.PROXY_SCHEME), b"coap")
MAX_TOKEN = 512


def request(oscore: bytes, *, type: int = 0, token: bytes = b"t", payload: bytes = b"p") -> bytes:
    options = (HOST, (int(OptionNumber.OSCORE), oscore), SCHEME)
    return message.encode(Message(type, CoapCode.POST, 7, token, options, payload))


@given(
    oscore=st.binary(max_size=300),
    type=st.sampled_from([MessageType.CON, MessageType.NON]),
    token=st.binary(max_size=20),
    payload=st.binary(min_size=1, max_size=40),
)
def test_p02_the_usual_request_is_read_like_any_other(
    oscore: bytes, type: int, token: bytes, payload: bytes
) -> None:
    """Known places and a decoder agree on each field and byte (RFC 9031 §8.1.1)."""
    datagram = request(oscore, type=type, token=token, payload=payload)
    usual = proxy_message._usual_request(datagram)
    assert (usual is not None) == (len(token) <= 12 and len(oscore) < 269)
    if usual is not None:
        assert proxy_message._any_request(datagram, MAX_TOKEN) == usual


@given(datagram=st.binary(max_size=60), cut=st.integers(0, 60), flip=st.integers(0, 60 * 8))
def test_p02_a_damaged_request_is_judged_alike_on_both_ways(
    datagram: bytes, cut: int, flip: int
) -> None:
    """What the short way takes, the decoder takes too, with the same result."""
    damaged = bytearray(request(b"\x19\x00\x08\x00\x12\x4b\x00\x14\xb5\xb6\x7e"))
    at, bit = divmod(flip, 8)
    if at < len(damaged):
        damaged[at] ^= 1 << bit
    for candidate in (bytes(damaged), bytes(damaged[:cut]), bytes(damaged[:cut]) + datagram):
        usual = proxy_message._usual_request(candidate)
        if usual is not None:
            assert proxy_message._any_request(candidate, MAX_TOKEN) == usual


@given(
    type=st.sampled_from([MessageType.CON, MessageType.NON, MessageType.ACK, MessageType.RST]),
    code=st.integers(1, 255),
    token=st.binary(max_size=300),
    value=st.sampled_from([b"", b"\x01\x05"]),
    payload=st.binary(max_size=40),
)
def test_p08_the_usual_answer_is_read_like_any_other(
    type: int, code: int, token: bytes, value: bytes, payload: bytes
) -> None:
    """Known places and a decoder agree on each field and byte (RFC 8974 §3.3)."""
    options = ((int(OptionNumber.OSCORE), value),)
    datagram = message.encode(Message(type, code, 7, token, options, payload))
    usual = proxy_message._usual_response(datagram)
    if usual is not None:
        assert proxy_message._any_response(datagram) == usual
    elif 13 <= len(token) < 269 and code >> 5 == 2 and not value and payload:
        assert type == MessageType.RST


def test_p02_a_long_oscore_option_is_not_taken_for_a_shorter_one() -> None:
    """Its length has two bytes; what it holds is none of the message's (RFC 7252 §3.1)."""
    value = bytes(12) + b"\xd4\x11coap\xff" + bytes(269)
    datagram = request(value[:269])
    assert proxy_message._usual_request(datagram) is None
    assert read_request(datagram, MAX_TOKEN).oscore == value[:269]


@pytest.mark.parametrize("code", [CoapCode.CHANGED, CoapCode.CONTENT])
def test_p08_a_reset_is_no_answer_whatever_else_it_has(code: int) -> None:
    """RFC 7252 §4.2: a Reset is empty."""
    options = ((int(OptionNumber.OSCORE), b""),)
    datagram = message.encode(Message(MessageType.RST, code, 7, b"t" * 40, options, b"p"))
    with pytest.raises(PeerError, match="not_a_response"):
        read_response(datagram)


@given(st.binary(max_size=80))
def test_p08_the_usual_answer_is_never_what_the_decoder_refuses(datagram: bytes) -> None:
    """Any bytes behind a head with an extended token."""
    candidate = b"\x5d\x44\x00\x01\x05" + datagram
    usual = proxy_message._usual_response(candidate)
    if usual is not None:
        assert proxy_message._any_response(candidate) == usual


@pytest.mark.parametrize("later", [(), ((60, b"\x01"),), ((40, b"state"), (60, b""))])
@pytest.mark.parametrize(
    "between", [(), ((int(OptionNumber.HOP_LIMIT), b"\x10"),), ((28, b"\x01"),)]
)
@pytest.mark.parametrize("name", [b"6tisch.arpa", b"6TISCH.arpa"])
def test_p02_proxy_scheme_alone_is_taken_out(
    name: bytes,
    between: tuple[tuple[int, bytes], ...],
    later: tuple[tuple[int, bytes], ...],
) -> None:
    """Wherever it stands; what stays is as it came (RFC 7252 §5.7.2)."""
    kept = ((HOST[0], name), (int(OptionNumber.OSCORE), b"\x01"), *between)
    asked = Message(0, CoapCode.POST, 7, b"", (*kept, SCHEME, *later), b"sealed")
    found = read_request(message.encode(asked), MAX_TOKEN)
    forwarded = message.decode(write(1, CoapCode.POST, 9, b"n" * 40, found.body))
    assert (forwarded.options, forwarded.payload) == ((*kept, *later), b"sealed")


@given(token=st.binary(max_size=1000), payload=st.binary(min_size=1, max_size=20))
def test_p06_a_datagram_is_written_with_a_token_of_any_length(token: bytes, payload: bytes) -> None:
    """RFC 8974 §2.1: the three forms of a token's length."""
    body = b"\x90\xff" + payload
    written = message.decode(write(MessageType.NON, CoapCode.CHANGED, 0xABCD, token, body), 1024)
    expected = (MessageType.NON, CoapCode.CHANGED, 0xABCD, token)
    assert expected == (written.type, written.code, written.message_id, written.token)
    assert payload == written.payload


@given(st.binary(max_size=120))
def test_p07_any_bytes_are_read_or_refused(datagram: bytes) -> None:
    """Both readers are total (RFC 7252 §3)."""
    for read in (lambda: read_request(datagram, MAX_TOKEN), lambda: read_response(datagram)):
        with suppress(PeerError):
            read()
