"""What libcoap's client sends beside a plain request: its trial of extended tokens, more options.

The trial is ``coap_send_test_extended_token`` of libcoap 4.3: a CON GET without a path, under
If-None-Match, with a token of its maximum length that counts up from 1.
"""

import pytest

from jrc.cojp import message
from jrc.cojp.constants import CoapCode, MessageType, OptionNumber
from jrc.lab.pledge import SimulatedPledge
from tests.daemon.site import Daemon
from tests.daemon.wire import OddPledge, Wire

PROBE = bytes.fromhex("0150")
"""The plaintext: 0.01, then option 5 without a value."""
JOIN = b"\xa1\x05\x42\xca\xfe"
PATH = (int(OptionNumber.URI_PATH), b"j")
REQUEST_TAG = (int(OptionNumber.REQUEST_TAG), b"\x01")
HOP_LIMIT = (int(OptionNumber.HOP_LIMIT), b"\x10")
PROXY_SCHEME = (int(OptionNumber.PROXY_SCHEME), b"coap")
NO_UTF8 = (int(OptionNumber.URI_HOST), b"\xfe\x80\x00\x01")


@pytest.fixture
def odd(daemon: Daemon) -> OddPledge:
    """A pledge of its own for each test."""
    device = daemon.enroll()
    return OddPledge(device.identifier, device.psk.reveal())


@pytest.fixture(scope="module")
def witness(daemon: Daemon) -> SimulatedPledge:
    return daemon.enroll().pledge()


def counting(length: int) -> bytes:
    """libcoap's token of the trial."""
    return bytes((number + 1) & 0xFF for number in range(length))


@pytest.mark.parametrize("length", [9, 13, 64, 269, 1024])
def test_c03_the_trial_of_extended_tokens_gets_its_protected_404(
    wire: Wire, odd: OddPledge, length: int
) -> None:
    """RFC 8974 §2.2.2, RFC 7252 §5.10.8.2: in the ACK, with the token as it was."""
    answer = wire.ask(odd.request(plaintext=PROBE, token=counting(length), message_id=0xBEEF))
    outer = message.decode(answer)
    assert (MessageType.ACK, 0xBEEF, CoapCode.CHANGED) == (
        outer.type,
        outer.message_id,
        outer.code,
    )
    assert counting(length) == outer.token
    assert (CoapCode.NOT_FOUND, (), b"") == odd.open(answer)


def test_c03_the_trial_is_the_datagram_that_libcoap_builds(odd: OddPledge) -> None:
    """RFC 8974 §2.1: version 1, CON, token length 13 with one byte more; POST outside."""
    datagram = odd.request(plaintext=PROBE, token=counting(16), message_id=0x1234)
    assert bytes.fromhex("4d02123403") + counting(16) == datagram[:21]


@pytest.mark.parametrize(
    "plaintext",
    [
        message.encode_inner(CoapCode.GET, ((5, b""), (65001, b"")), b""),
        message.encode_inner(CoapCode.GET, ((1, b"tag"),), b""),
        message.encode_inner(CoapCode.POST, ((5, b""), PATH), JOIN),
    ],
    ids=["another_critical", "if_match", "on_j"],
)
def test_other_conditions_and_critical_options_stay_refused(
    wire: Wire, odd: OddPledge, plaintext: bytes
) -> None:
    """RFC 7252 §5.4.1: If-None-Match is understood where nothing is, and there alone."""
    assert CoapCode.BAD_OPTION == odd.open(wire.ask(odd.request(plaintext=plaintext))).code


def test_a_join_follows_the_trial(wire: Wire, odd: OddPledge) -> None:
    """RFC 9031 §8.1.1: with an inner Request-Tag, and Hop-Limit beside Proxy-Scheme outside."""
    wire.ask(odd.request(plaintext=PROBE, token=counting(16)))
    inner = message.encode_inner(CoapCode.POST, (PATH, REQUEST_TAG), JOIN)
    outer = (HOP_LIMIT, PROXY_SCHEME, REQUEST_TAG)
    answer = wire.ask(odd.request(plaintext=inner, extra=outer, token=counting(16)))
    assert CoapCode.CHANGED == odd.open(answer).code


def test_c01_a_host_that_is_no_utf8_is_another_host(
    wire: Wire, odd: OddPledge, witness: SimulatedPledge
) -> None:
    """RFC 9031 §8.1.1: silence outside; inside it is not looked at, as any other host there."""
    outside = odd.request(JOIN)
    decoded = message.decode(outside)
    wire.assert_silence(
        [message.encode(decoded._replace(options=(NO_UTF8, *decoded.options)))], witness
    )
    inner = message.encode_inner(CoapCode.POST, (NO_UTF8, PATH), JOIN)
    assert CoapCode.CHANGED == odd.open(wire.ask(odd.request(plaintext=inner))).code
