"""Which outer messages are looked at, and how an answer is wrapped."""

import pytest

from jrc.cojp import message, oscore
from jrc.cojp.constants import CoapCode, MessageType, OptionNumber
from jrc.cojp.envelope import DIGEST_BYTES, Envelope, close_response, digest, open_request
from jrc.cojp.message import Message
from jrc.cojp.oscore import OscoreOption
from jrc.errors import PeerError, Reason

CON, NON, ACK, RST = MessageType.CON, MessageType.NON, MessageType.ACK, MessageType.RST
KID_CONTEXT = bytes.fromhex("00124b0000000001")
OSCORE = (int(OptionNumber.OSCORE), oscore.encode_option(OscoreOption(b"\x05", b"", KID_CONTEXT)))
HOST = (int(OptionNumber.URI_HOST), b"6tisch.arpa")
SCHEME = (int(OptionNumber.PROXY_SCHEME), b"coap")
MAX_TOKEN = 1024


def request(
    *options: tuple[int, bytes],
    type: int = CON,
    code: int = CoapCode.POST,
    token: bytes = b"\x77",
    payload: bytes = b"ciphertext",
) -> bytes:
    return message.encode(Message(type, code, 0x1234, token, options or (OSCORE,), payload))


def refused(datagram: bytes) -> tuple[Reason, bytes | None]:
    with pytest.raises(PeerError) as caught:
        open_request(datagram, MAX_TOKEN)
    return caught.value.reason, caught.value.answer


@pytest.mark.parametrize("type", [CON, NON])
@pytest.mark.parametrize("scheme", [(), (SCHEME,), ((SCHEME[0], b"COAP"),)])
@pytest.mark.parametrize("host", [(), (HOST,), ((HOST[0], b"6TiSCH.ARPA"),)])
def test_c01_every_form_of_a_join_request_is_opened(
    type: int, scheme: tuple[tuple[int, bytes], ...], host: tuple[tuple[int, bytes], ...]
) -> None:
    """RFC 9031 §8.1.1, App. A: host and scheme may be missing, their case does not count."""
    opened = open_request(request(OSCORE, *scheme, *host, type=type), MAX_TOKEN)
    assert (
        Envelope(type, 0x1234, b"\x77", b"\x05", KID_CONTEXT, b"ciphertext", OSCORE[1], ())
        == opened
    )


@pytest.mark.parametrize("number", [1, 5, 11, 15, 17, 12, 14, 60, 65000])
def test_c01_options_to_discard_or_ignore_change_nothing(number: int) -> None:
    """RFC 8613 §4.1.1: Class E ones are discarded; RFC 7252 §5.4.1: elective ones ignored."""
    assert open_request(request(), MAX_TOKEN) == open_request(
        request(OSCORE, (number, b"\x01")), MAX_TOKEN
    )


def with_option(value: bytes) -> bytes:
    return request((OSCORE[0], value))


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        (b"", Reason.MALFORMED_MESSAGE),
        (b"\x40", Reason.MALFORMED_MESSAGE),
        (request(token=bytes(MAX_TOKEN + 1)), Reason.TOKEN_TOO_LONG),
        (request(type=ACK), Reason.NOT_A_REQUEST),
        (request(type=RST), Reason.NOT_A_REQUEST),
        (request(code=CoapCode.CHANGED), Reason.NOT_A_REQUEST),
        (bytes.fromhex("40001234"), Reason.NOT_A_REQUEST),
        (request(code=CoapCode.GET), Reason.OUTER_CODE),
        (request(code=CoapCode.FETCH), Reason.OUTER_CODE),
        (request(code=31), Reason.OUTER_CODE),
        (request(HOST), Reason.UNPROTECTED),
        (request(OSCORE, OSCORE), Reason.MALFORMED_OSCORE),
        (with_option(b"\x20"), Reason.MALFORMED_OSCORE),
        (with_option(b""), Reason.NO_PARTIAL_IV),
        (with_option(b"\x18\x01a"), Reason.NO_PARTIAL_IV),
        (with_option(b"\x11\x05\x01a"), Reason.KID_NOT_EMPTY),
        (with_option(b"\x19\x05\x01aJRC"), Reason.KID_NOT_EMPTY),
        (with_option(b"\x09\x05"), Reason.NO_KID_CONTEXT),
        (with_option(b"\x19\x05\x00"), Reason.NO_KID_CONTEXT),
        (request(OSCORE, (HOST[0], b"example.org")), Reason.WRONG_HOST),
        (request(OSCORE, HOST, (HOST[0], b"")), Reason.WRONG_HOST),
        (request(OSCORE, (SCHEME[0], b"coaps")), Reason.WRONG_SCHEME),
        (request(OSCORE, (int(OptionNumber.OBSERVE), b"")), Reason.OBSERVE),
        (request(OSCORE, (int(OptionNumber.URI_PORT), bytes(3))), Reason.MALFORMED_MESSAGE),
        (request(OSCORE, (35, b"coap://[::1]/j")), Reason.CRITICAL_OPTION),
        (request(OSCORE, (23, b"")), Reason.CRITICAL_OPTION),
        (request(OSCORE, (65001, b"")), Reason.CRITICAL_OPTION),
    ],
)  # fmt: skip
def test_b06_b02_c01_whatever_else_comes_is_silence(datagram: bytes, reason: Reason) -> None:
    """RFC 9031 §7.3.2, §7.3: counted by reason, and there is nothing to answer with."""
    assert (reason, None) == refused(datagram)


def test_c01_a_port_of_two_bytes_is_ignored() -> None:
    """RFC 8613 §4.1.3.2: Uri-Port is the proxy's affair."""
    assert open_request(request(OSCORE, (7, b"\x16\x33")), MAX_TOKEN)


def test_c03_a_token_up_to_the_limit_comes_back() -> None:
    """RFC 8974 §2."""
    token = bytes(range(256)) * 4
    opened = open_request(request(token=token), MAX_TOKEN)
    assert token == message.decode(close_response(opened, 1, b"", b"x")).token


def test_c11_copies_have_one_digest_whatever_a_proxy_puts_around_them() -> None:
    """RFC 9031 §7.1: message id, token, type and further options are the proxy's."""
    first = open_request(request(), MAX_TOKEN)
    again = request(OSCORE, HOST, (40, b"state"), type=NON, token=b"\xc0\xc1")
    assert DIGEST_BYTES == len(digest(first))
    assert digest(first) == digest(open_request(again, MAX_TOKEN))


def test_c11_another_option_or_ciphertext_has_another_digest() -> None:
    """Also where the bytes of both in a row are the same."""
    longer = oscore.encode_option(OscoreOption(b"\x05", b"", KID_CONTEXT + b"c"))
    others = [
        request(),
        request(payload=b"ciphertexT"),
        request(payload=b""),
        request((OSCORE[0], longer), payload=b"iphertext"),
    ]
    assert 4 == len({digest(open_request(other, MAX_TOKEN)) for other in others})


def test_c11_one_ciphertext_under_two_numbers_has_two_digests() -> None:
    """With another key it could be a request of its own: the option tells them apart."""
    options = (
        oscore.encode_option(OscoreOption(piv, b"", KID_CONTEXT)) for piv in (b"\x05", b"\x06")
    )
    first, second = (
        digest(open_request(request((OSCORE[0], option)), MAX_TOKEN)) for option in options
    )
    assert first != second


def test_c02_a_con_gets_an_ack_with_its_message_id_and_a_non_a_non_with_ours() -> None:
    """RFC 7252 §5.2, RFC 9031 §8.1.2."""
    for type, expected in ((CON, (ACK, 0x1234)), (NON, (NON, 0x4321))):
        opened = open_request(request(type=type), MAX_TOKEN)
        answer = message.decode(close_response(opened, 0x4321, b"", b"answer"))
        assert expected == (answer.type, answer.message_id)
        assert (CoapCode.CHANGED, b"\x77") == (answer.code, answer.token)
        assert (((int(OptionNumber.OSCORE), b""),), b"answer") == (answer.options, answer.payload)


def test_c11_proxy_state_comes_back_only_when_asked_for() -> None:
    """OpenWSN's stateless proxy: every option 40, in its order."""
    opened = open_request(request(OSCORE, (40, b"a"), (40, b"b")), MAX_TOKEN)
    bare = (int(OptionNumber.OSCORE), b"")
    plain = message.decode(close_response(opened, 1, b"", b"x"))
    with_state = message.decode(close_response(opened, 1, b"", b"x", with_proxy_state=True))
    assert (bare,) == plain.options
    assert (bare, (40, b"a"), (40, b"b")) == with_state.options
