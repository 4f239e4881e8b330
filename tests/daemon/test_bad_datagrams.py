"""What is no Join Request gets nothing: no byte, no log line, no memory, one count by reason."""

from collections.abc import Callable, Iterator
from itertools import islice

import pytest

from jrc.cojp import message, oscore
from jrc.cojp.constants import CoapCode, MessageType, OptionNumber
from jrc.cojp.message import Message
from jrc.cojp.oscore import OscoreOption
from jrc.errors import Reason
from jrc.lab.pledge import SimulatedPledge
from tests.daemon.site import Daemon, Device
from tests.daemon.wire import LARGEST_DATAGRAM, OddPledge, Wire

FLOOD = 20_000
MAX_GROWTH_KIB = 2048
BURST = 100
"""Datagrams in flight at a time: a socket's queue is no place for a flood to be lost in."""


@pytest.fixture(scope="module")
def device(daemon: Daemon) -> Device:
    """A device whose requests are mangled; it never joins."""
    return daemon.enroll()


@pytest.fixture
def good(device: Device) -> Message:
    """A Join Request that would be answered."""
    return message.decode(device.pledge(first=5).request(token=b"\x31\x32"))


def counted(
    daemon: Daemon, wire: Wire, witness: SimulatedPledge, datagrams: list[bytes]
) -> dict[str, int]:
    """The drops by reason that ``datagrams`` cause; fails if anything is sent for them."""
    before = daemon.dropped()
    for start in range(0, len(datagrams), BURST):
        wire.assert_silence(datagrams[start : start + BURST], witness)
    after = daemon.dropped()
    return {name: n - before.get(name, 0) for name, n in after.items() if n > before.get(name, 0)}


# --- Header, token, options --------------------------------------------------------------------


def test_b06_a_request_cut_at_any_byte_is_silent(
    daemon: Daemon, wire: Wire, witness: SimulatedPledge, good: Message
) -> None:
    """RFC 9031 §7.3.2: each prefix is counted once; the empty datagram is one, too."""
    datagram = message.encode(good)
    prefixes = [datagram[:size] for size in range(len(datagram))]
    found = counted(daemon, wire, witness, prefixes)
    assert len(prefixes) == sum(found.values())
    assert {"malformed_message", "unprotected", "bad_tag"} <= found.keys()


def header(first: int = 0x40, code: int = 2, rest: bytes = b"") -> bytes:
    return bytes((first, code, 0x12, 0x34)) + rest


def _wrong_headers() -> Iterator[tuple[str, bytes, Reason]]:
    for version in (0, 2, 3):
        yield f"version_{version}", header(version << 6), Reason.MALFORMED_MESSAGE
    for code in (0x20, 0x3F, 0xC0, 0xDF, 0xE1, 0xFF):
        yield f"reserved_code_{code:02x}", header(code=code), Reason.MALFORMED_MESSAGE
    for code in (0x41, 0x44, 0x80, 0xA0):
        yield f"response_{code:02x}", header(code=code), Reason.NOT_A_REQUEST
    yield "ping", header(code=0), Reason.NOT_A_REQUEST
    yield "empty_non", header(0x50, 0), Reason.NOT_A_REQUEST
    yield "empty_ack", header(0x60, 0), Reason.NOT_A_REQUEST
    yield "reset", header(0x70, 0), Reason.NOT_A_REQUEST
    yield "post_as_ack", header(0x60), Reason.NOT_A_REQUEST
    yield "post_as_reset", header(0x70), Reason.NOT_A_REQUEST
    yield "empty_with_token", header(0x41, 0, b"t"), Reason.MALFORMED_MESSAGE
    yield "empty_with_more", header(code=0, rest=b"\xff\x00"), Reason.MALFORMED_MESSAGE


def _wrong_tokens() -> Iterator[tuple[str, bytes, Reason]]:
    for length in range(1, 13):
        data = header(0x40 | length, rest=bytes(length - 1))
        yield f"token_{length}_cut", data, Reason.MALFORMED_MESSAGE
    yield "token_13_no_extension", header(0x4D), Reason.MALFORMED_MESSAGE
    yield "token_13_cut", header(0x4D, rest=b"\x05" + bytes(17)), Reason.MALFORMED_MESSAGE
    yield "token_14_half_extension", header(0x4E, rest=b"\x00"), Reason.MALFORMED_MESSAGE
    yield "token_14_cut", header(0x4E, rest=bytes(270)), Reason.MALFORMED_MESSAGE
    yield "token_15", header(0x4F, rest=bytes(20)), Reason.MALFORMED_MESSAGE
    long = (1025 - 269).to_bytes(2)
    yield "token_1025", header(0x4E, rest=long + bytes(1025)), Reason.TOKEN_TOO_LONG


def _wrong_options() -> Iterator[tuple[str, bytes, Reason]]:
    wrong = Reason.MALFORMED_MESSAGE
    for name, options in {
        "delta_15": b"\xf0",
        "length_15": b"\x0f",
        "delta_13_no_extension": b"\xd0",
        "delta_14_half_extension": b"\xe0\x00",
        "length_13_no_extension": b"\x0d",
        "length_14_half_extension": b"\x0e\x00",
        "value_out_of_bounds": b"\x95\x09\x00",
        "length_14_out_of_bounds": b"\x9e\xff\xff\x00",
        "number_out_of_bounds": b"\xe0\xff\xff" * 2,
        "marker_without_payload": b"\xff",
        "oscore_and_marker_alone": b"\x90\xff",
    }.items():
        yield name, header(rest=options), wrong
    plain = message.encode(
        Message(0, CoapCode.POST, 1, b"", ((11, b"j"),), b"\xa1\x05\x42\xca\xfe")
    )
    yield "plain_post_to_j", plain, Reason.UNPROTECTED
    yield "plain_get_core", header(code=1, rest=b"\xbb.well-known\x04core"), Reason.UNPROTECTED
    yield "unknown_method", header(code=0x1F), Reason.UNPROTECTED


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        pytest.param(datagram, reason, id=name)
        for table in (_wrong_headers(), _wrong_tokens(), _wrong_options())
        for name, datagram, reason in table
    ],
)
def test_b06_what_is_no_oscore_request_is_silent(
    daemon: Daemon, wire: Wire, witness: SimulatedPledge, datagram: bytes, reason: Reason
) -> None:
    """RFC 9031 §7.3.2 goes before RFC 7252 §4.2, §4.3: neither RST nor empty ACK nor 4.xx."""
    assert {reason.value: 1} == counted(daemon, wire, witness, [datagram])


# --- A good request with one thing wrong -------------------------------------------------------


def with_option(good: Message, number: int, value: bytes) -> Message:
    return good._replace(options=(*good.options, (number, value)))


def with_oscore(good: Message, value: bytes) -> Message:
    return good._replace(
        options=tuple((n, value if n == OptionNumber.OSCORE else v) for n, v in good.options)
    )


def oscore_of(good: Message) -> OscoreOption:
    (value,) = message.option_values(good.options, OptionNumber.OSCORE)
    return oscore.decode_option(value)


def without(good: Message, number: int) -> Message:
    return good._replace(options=tuple(o for o in good.options if o[0] != number))


def flagged(flags: int, rest: bytes = b"") -> Callable[[Message], Message]:
    """A request whose OSCORE option begins with ``flags``."""

    def mangle(good: Message) -> Message:
        found = oscore_of(good)
        assert found.kid_context is not None
        context = bytes((len(found.kid_context),)) + found.kid_context
        return with_oscore(good, bytes((flags,)) + rest + context)

    return mangle


Mangle = Callable[[Message], Message]
WRONG: dict[str, tuple[Mangle, Reason]] = {
    "get": (lambda m: m._replace(code=CoapCode.GET), Reason.OUTER_CODE),
    "fetch": (lambda m: m._replace(code=CoapCode.FETCH), Reason.OUTER_CODE),
    "observe": (lambda m: with_option(m, 6, b""), Reason.OBSERVE),
    "observe_fetch": (
        lambda m: with_option(m, 6, b"")._replace(code=CoapCode.FETCH),
        Reason.OBSERVE,
    ),
    "wrong_host": (
        lambda m: with_option(without(m, 3), 3, b"example.org"),
        Reason.WRONG_HOST,
    ),
    "empty_host": (lambda m: with_option(without(m, 3), 3, b""), Reason.WRONG_HOST),
    "host_no_utf8": (lambda m: with_option(without(m, 3), 3, b"6tisch\xff"), Reason.WRONG_HOST),
    "two_hosts": (lambda m: with_option(m, 3, b"example.org"), Reason.WRONG_HOST),
    "scheme_coaps": (lambda m: with_option(without(m, 39), 39, b"coaps"), Reason.WRONG_SCHEME),
    "scheme_no_utf8": (lambda m: with_option(without(m, 39), 39, b"\xc3("), Reason.WRONG_SCHEME),
    "proxy_uri": (lambda m: with_option(m, 35, b"coap://x/"), Reason.CRITICAL_OPTION),
    "unknown_critical": (lambda m: with_option(m, 65001, b""), Reason.CRITICAL_OPTION),
    "block1": (lambda m: with_option(m, 27, b"\x00"), Reason.CRITICAL_OPTION),
    "two_oscore": (lambda m: with_option(m, 9, b"\x09\x00"), Reason.MALFORMED_OSCORE),
    "no_oscore": (lambda m: without(m, 9), Reason.UNPROTECTED),
    "oscore_empty": (lambda m: with_oscore(m, b""), Reason.NO_PARTIAL_IV),
    "flags_zero": (lambda m: with_oscore(m, b"\x00"), Reason.MALFORMED_OSCORE),
    "flag_80": (flagged(0x99, b"\x05"), Reason.MALFORMED_OSCORE),
    "flag_40": (flagged(0x59, b"\x05"), Reason.MALFORMED_OSCORE),
    "flag_20": (flagged(0x39, b"\x05"), Reason.MALFORMED_OSCORE),
    "piv_6": (flagged(0x1E, bytes(6)), Reason.MALFORMED_OSCORE),
    "piv_7": (flagged(0x1F, bytes(7)), Reason.MALFORMED_OSCORE),
    "no_piv": (flagged(0x18), Reason.NO_PARTIAL_IV),
    "piv_out_of_bounds": (lambda m: with_oscore(m, b"\x19\x05"[:1]), Reason.MALFORMED_OSCORE),
    "context_out_of_bounds": (lambda m: with_oscore(m, b"\x19\x05\x09x"), Reason.MALFORMED_OSCORE),
    "no_context_length": (lambda m: with_oscore(m, b"\x19\x05"), Reason.MALFORMED_OSCORE),
    "no_kid": (flagged(0x11, b"\x05"), Reason.KID_NOT_EMPTY),
    "no_kid_context": (lambda m: with_oscore(m, b"\x09\x05"), Reason.NO_KID_CONTEXT),
    "empty_kid_context": (lambda m: with_oscore(m, b"\x19\x05\x00"), Reason.NO_KID_CONTEXT),
    "a_kid": (
        lambda m: with_oscore(m, oscore.encode_option(oscore_of(m)._replace(kid=b"\x01"))),
        Reason.KID_NOT_EMPTY,
    ),
    "kid_jrc": (
        lambda m: with_oscore(m, oscore.encode_option(oscore_of(m)._replace(kid=b"JRC"))),
        Reason.KID_NOT_EMPTY,
    ),
    "unknown_pledge": (
        lambda m: with_oscore(m, b"\x19\x05\x08stranger"),
        Reason.UNKNOWN_CONTEXT,
    ),
    "no_payload": (lambda m: m._replace(payload=b""), Reason.BAD_TAG),
    "tag_alone": (lambda m: m._replace(payload=m.payload[-8:]), Reason.BAD_TAG),
    "wrong_tag": (
        lambda m: m._replace(payload=m.payload[:-1] + bytes((m.payload[-1] ^ 1,))),
        Reason.BAD_TAG,
    ),
    "too_long": (lambda m: m._replace(payload=m.payload + bytes(4096)), Reason.TOO_LONG),
}


@pytest.mark.parametrize("name", WRONG)
def test_b06_one_thing_wrong_in_a_request_is_silent(
    daemon: Daemon, wire: Wire, witness: SimulatedPledge, good: Message, name: str
) -> None:
    """RFC 9031 §7.3.2, §7.3, §8.1.1; RFC 8613 §6.1 for the option's form."""
    mangle, reason = WRONG[name]
    datagram = message.encode(mangle(good))
    assert {reason.value: 1} == counted(daemon, wire, witness, [datagram])


def test_b06_each_flipped_bit_is_silent_but_in_type_message_id_and_token(
    daemon: Daemon, wire: Wire
) -> None:
    """RFC 9031 §7.3.2: what is authenticated can't be changed; type, message id and token can."""
    odd, other = (
        OddPledge(d.identifier, d.psk.reveal()) for d in (daemon.enroll(), daemon.enroll())
    )
    size = len(odd.request(b"\xa1\x05\x42\xca\xfe", message_id=7))
    before = sum(daemon.dropped().values())
    answered = 0
    for bit in range(8 * size):
        request = odd.request(b"\xa1\x05\x42\xca\xfe", message_id=7)
        mangled = bytearray(request)
        mangled[bit // 8] ^= 1 << bit % 8
        wire.send(bytes(mangled))
        answered += _answers_before(wire, other)
    unprotected_bits = 1 + 16 + 8  # CON or NON, message id, token
    assert unprotected_bits == answered
    assert 8 * size - answered == sum(daemon.dropped().values()) - before


def _answers_before(wire: Wire, odd: OddPledge) -> int:
    """How many answers come before the one to a good request."""
    wire.send(odd.request(b"\xa1\x05\x42\xca\xfe", token=b"\x77\x77"))
    answers = 0
    while message.decode(wire.hear().payload).token != b"\x77\x77":
        answers += 1
    return answers


def test_b09_a_forged_high_number_locks_nobody_out(
    daemon: Daemon, wire: Wire, witness: SimulatedPledge
) -> None:
    """RFC 8613 §8.2: the window moves only after the tag has verified."""
    pledge = daemon.enroll().pledge()
    request = message.decode(pledge.request())
    highest = oscore_of(request)._replace(piv=b"\xff" * 5)
    forged = message.encode(with_oscore(request, oscore.encode_option(highest)))
    assert {"bad_tag": 1} == counted(daemon, wire, witness, [forged])
    wire.join(pledge)


def test_b06_the_largest_datagram_is_silent(
    daemon: Daemon, wire: Wire, witness: SimulatedPledge, good: Message
) -> None:
    """RFC 9031 §7.3.2: longer than any request, it is not even looked at."""
    datagram = message.encode(good)
    datagram += bytes(LARGEST_DATAGRAM - len(datagram))
    assert {"too_long": 1} == counted(daemon, wire, witness, [datagram])


# --- In numbers --------------------------------------------------------------------------------


def _strangers(good: Message) -> Iterator[bytes]:
    """Endless bad datagrams of several kinds, no two of them alike."""
    number = 0
    while True:
        number += 1
        name = number.to_bytes(8)
        yield message.encode(with_oscore(good, b"\x19\x05\x08" + name))
        yield message.encode(good._replace(payload=good.payload[:-8] + name, token=name))
        yield message.encode(Message(MessageType.CON, 2, number & 0xFFFF, name, ((11, name),), b""))
        yield b"\x4f" + name * (number % 100)


def test_bad_datagrams_leave_memory_and_log_alone(
    daemon: Daemon, wire: Wire, witness: SimulatedPledge, good: Message
) -> None:
    """RFC 9031 §9: an unsecured link can be flooded; strangers cost neither memory nor log."""
    flood = _strangers(good)
    counted(daemon, wire, witness, list(islice(flood, FLOOD // 10)))  # buffers grow once
    resident, logged = daemon.resident_kib(), len(daemon.log)
    found = counted(daemon, wire, witness, list(islice(flood, FLOOD)))
    assert FLOOD == sum(found.values())
    assert {"unknown_context", "bad_tag", "unprotected", "malformed_message"} == found.keys()
    assert daemon.resident_kib() - resident <= MAX_GROWTH_KIB
    # The witness joins in between, a line each time.
    lines = [line for line in daemon.log[logged:] if '"event": "join"' not in line]
    assert len(lines) <= 3, lines  # a summary each ten seconds
