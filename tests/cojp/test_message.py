"""CoAP datagrams: strict, total, with tokens of any length."""

from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrc.cojp import message
from jrc.cojp.constants import MAX_TOKEN_BYTES
from jrc.cojp.message import Inner, Message
from jrc.errors import PeerError, Reason
from tests.cojp.strategies import inners, messages

H = bytes.fromhex
TheirMessage: Any = import_module("aiocoap").Message
OSCORE = (9, H("190108141592cc00000002"))
REQUEST = Message(0, 2, 0x1234, b"\x01\x02", ((3, b"6tisch.arpa"), OSCORE), b"ciphertext")


def reason_of(datagram: bytes, max_token: int = MAX_TOKEN_BYTES) -> Reason:
    with pytest.raises(PeerError) as caught:
        message.decode(datagram, max_token)
    assert caught.value.answer is None
    return caught.value.reason


@given(messages)
def test_c03_messages_come_back_from_the_wire(sent: Message) -> None:
    """RFC 7252 §3, RFC 8974 §2.1: tokens of 0 to 65,804 bytes."""
    assert message.decode(message.encode(sent)) == sent


@given(messages.filter(lambda sent: len(sent.token) <= 8))
def test_messages_are_written_as_another_implementation_reads_them(sent: Message) -> None:
    """RFC 7252 §3: aiocoap reads the same fields (it knows no longer tokens)."""
    # It takes empty options for instances of formats that need bytes; leave those to ourselves.
    theirs = TheirMessage.decode(message.encode(sent._replace(options=())))
    assert (int(theirs.mtype), int(theirs.code), theirs.mid) == sent[:3]
    assert (theirs.token, theirs.payload) == (sent.token, sent.payload)


def test_options_are_written_as_another_implementation_reads_them() -> None:
    """RFC 7252 §3.1: deltas and lengths over 12 and over 268."""
    options = ((3, b"6tisch.arpa"), (9, b"o" * 13), (11, b"j"), (11, b""), (39, b"coap"))
    far = ((2048, b"x" * 268), (2049, b"x" * 269), (65000, b""))
    sent = Message(1, 2, 7, b"t", options + far, b"p")
    theirs = TheirMessage.decode(message.encode(sent))
    found = tuple((int(o.number), o.encode()) for o in theirs.opt.option_list())
    assert found == options + far


@given(st.binary(max_size=80), st.integers(0, 20))
def test_any_bytes_give_a_message_or_a_reason(datagram: bytes, max_token: int) -> None:
    """RFC 7252 §3: the decoder is total; what it takes it would write the same way."""
    try:
        got = message.decode(datagram, max_token)
    except PeerError as error:
        assert error.reason in (Reason.MALFORMED_MESSAGE, Reason.TOKEN_TOO_LONG)
    else:
        assert len(got.token) <= max_token
        assert message.encode(got) == datagram


@given(st.binary(max_size=60).map(lambda tail: b"\x42\x02\x00\x07to" + tail))
def test_any_options_are_read_as_they_would_be_written(datagram: bytes) -> None:
    """RFC 7252 §3.1: each number and length has one encoding."""
    try:
        got = message.decode(datagram)
    except PeerError as error:
        assert error.reason is Reason.MALFORMED_MESSAGE
    else:
        assert message.encode(got) == datagram


def test_b06_a_request_truncated_at_any_byte_is_malformed_or_shorter() -> None:
    """RFC 7252 §3: cut inside header, token or an option it is malformed."""
    whole = message.encode(REQUEST)
    marker = whole.index(b"\xff")
    boundaries = {6, 18, 30} | set(range(marker + 2, len(whole)))
    for end in range(len(whole)):
        if end in boundaries:
            assert whole.startswith(message.encode(message.decode(whole[:end])))
        else:
            assert reason_of(whole[:end]) is Reason.MALFORMED_MESSAGE


@pytest.mark.parametrize("size", [0, 1, 8, 9, 12, 13, 14, 268, 269, 270, 1024, 65804])
def test_c03_tokens_have_one_encoding_by_length(size: int) -> None:
    """RFC 8974 §2.1: the nibble itself, 13 and a byte, 14 and two."""
    extension = 0 if size < 13 else 1 if size < 269 else 2
    datagram = message.encode(Message(0, 2, 1, bytes(size), (), b""))
    assert len(datagram) == 4 + extension + size
    assert message.decode(datagram).token == bytes(size)


def test_c03_a_token_over_the_limit_is_told_apart_from_a_truncated_one() -> None:
    """RFC 8974 §2: an endpoint has its own limit."""
    whole = message.encode(Message(0, 2, 1, bytes(1025), (), b""))
    assert reason_of(whole, 1024) is Reason.TOKEN_TOO_LONG
    assert message.decode(whole, 1025).token == bytes(1025)
    assert reason_of(whole[:-1], 1024) is Reason.MALFORMED_MESSAGE


def test_a_token_that_can_not_be_sent_is_refused() -> None:
    """RFC 8974 §2.1: 65,804 bytes at most."""
    with pytest.raises(ValueError, match="65804"):
        message.encode(Message(0, 2, 1, bytes(65805), (), b""))


@pytest.mark.parametrize(
    ("datagram", "why"),
    [
        ("", "empty"),
        ("400200", "no whole header"),
        ("00020001", "version 0"),
        ("80020001", "version 2"),
        ("c0020001", "version 3"),
        ("4f020001", "token length 15"),
        ("4f020001" + "00" * 40, "token length 15"),
        ("4f0200010000" + "00" * 269, "token length 15, with all that 14 would need"),
        ("49020001" + "00" * 8, "token cut"),
        ("4d020001", "no extended token length"),
        ("4d020001" + "00" + "00" * 12, "extended token cut"),
        ("4e02000100", "half an extended token length"),
        ("4e0200010000" + "00" * 268, "extended token cut"),
        ("40020001ff", "payload marker without payload"),
        ("40020001f0", "delta 15"),
        ("40020001f00000", "delta 15, with all that 14 would need"),
        ("400200010f", "length 15"),
        ("400200010f0000" + "00" * 269, "length 15, with all that 14 would need"),
        ("40020001d0", "no extended delta"),
        ("40020001e000", "half an extended delta"),
        ("400200010d", "no extended length"),
        ("400200010e00", "half an extended length"),
        ("400200010e0000" + "00" * 268, "extended value cut"),
        ("4002000101", "value cut"),
        ("40020001e0ffff", "option number 65804"),
        ("40020001e0fef210", "option number 65536"),
        ("41000001aa", "an empty message with a token"),
        ("40000001ff00", "an empty message with a payload"),
        ("4000000100", "an empty message with an option"),
        ("4d00000100" + "00" * 13, "an empty message with an extended token"),
        ("40200001", "class 1"),
        ("40c00001", "class 6"),
        ("40e10001", "class 7, signalling, which UDP has not"),
    ],
)
def test_b06_malformed_datagrams_are_refused(datagram: str, why: str) -> None:
    """RFC 7252 §3, §4.1, §4.2; RFC 8974 §2.1."""
    assert reason_of(H(datagram)) is Reason.MALFORMED_MESSAGE, why


def test_the_highest_option_number_is_read() -> None:
    """RFC 7252 §12.2: sixteen bits."""
    assert message.decode(H("40020001e0fef2")).options == ((65535, b""),)


@pytest.mark.parametrize("kind", range(4))
def test_empty_messages_are_read(kind: int) -> None:
    """RFC 7252 §4.1: pings, empty ACKs and RSTs are well-formed."""
    datagram = bytes((0x40 | kind << 4, 0, 0, 9))
    assert message.decode(datagram) == Message(kind, 0, 9, b"", (), b"")


def test_the_largest_datagram_is_read() -> None:
    """65,507 bytes is what UDP over IPv4 carries; the endpoint's own limit is lower."""
    datagram = b"\x40\x02\x00\x01\xff" + bytes(65502)
    assert len(message.decode(datagram).payload) == 65502


def test_options_are_sorted_and_repeated_ones_keep_their_order() -> None:
    """RFC 7252 §3.1, §5.4.5."""
    options = ((11, b"b"), (3, b"h"), (11, b"a"))
    got = message.decode(message.encode(Message(1, 2, 1, b"", options, b"")))
    assert got.options == ((3, b"h"), (11, b"b"), (11, b"a"))
    assert message.option_values(got.options, 11) == (b"b", b"a")
    assert message.option_values(got.options, 12) == ()


@pytest.mark.parametrize(
    "sent",
    [
        REQUEST._replace(type=4),
        REQUEST._replace(code=256),
        REQUEST._replace(message_id=65536),
        REQUEST._replace(message_id=-1),
        REQUEST._replace(options=((65536, b""),)),
        REQUEST._replace(options=((-1, b""),)),
        REQUEST._replace(options=((1, bytes(65805)),)),
        REQUEST._replace(code=0),
    ],
)
def test_what_has_no_encoding_is_refused(sent: Message) -> None:
    """RFC 7252 §3, §4.1."""
    with pytest.raises(ValueError, match=r"out of bounds|can't be written|empty message"):
        message.encode(sent)


def test_odd_option_numbers_are_critical() -> None:
    """RFC 7252 §5.4.6."""
    assert [message.is_critical(number) for number in (9, 39, 40, 252)] == [
        True,
        True,
        False,
        False,
    ]


# --- OSCORE plaintexts -------------------------------------------------------------------------


@given(inners)
def test_plaintexts_come_back(sent: Inner) -> None:
    """RFC 8613 §5.3."""
    assert message.decode_inner(message.encode_inner(*sent)) == sent


@given(st.binary(max_size=60))
def test_any_plaintext_gives_an_inner_message_or_a_reason(plaintext: bytes) -> None:
    """RFC 8613 §5.3: the decoder is total, and strict as the outer one is."""
    try:
        got = message.decode_inner(plaintext)
    except PeerError as error:
        assert (error.reason, error.answer) == (Reason.MALFORMED_INNER, None)
    else:
        assert message.encode_inner(*got) == plaintext


@pytest.mark.parametrize("plaintext", ["", "00", "20", "c0", "e1", "02ff", "02f0", "0201", "02d0"])
def test_b06_malformed_plaintexts_are_refused(plaintext: str) -> None:
    """RFC 8613 §5.3: code, options and payload as in RFC 7252 §3."""
    with pytest.raises(PeerError) as caught:
        message.decode_inner(H(plaintext))
    assert caught.value.reason is Reason.MALFORMED_INNER
