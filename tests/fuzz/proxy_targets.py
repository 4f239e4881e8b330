"""What the Join Proxy's readers are held to: what goes on is what came, but for Proxy-Scheme."""

from contextlib import suppress

from jrc.coap import proxy_message
from jrc.coap.proxy_message import Request, Response
from jrc.coap.token import LINK_LOCAL_PREFIX, Origin, TokenSealer
from jrc.cojp import message
from jrc.cojp.constants import OptionNumber
from jrc.errors import PeerError
from tests.fuzz.file_targets import Target

H = bytes.fromhex
_MAX_TOKEN = 1024
_PASSES_ON = (OptionNumber.PROXY_SCHEME,)


def fuzz_proxy_request(data: bytes) -> None:
    """A request that goes on has its options and payload, but for Proxy-Scheme (RFC 7252 §5.7)."""
    with suppress(PeerError):
        got = proxy_message.read_request(data, _MAX_TOKEN)
        assert got == proxy_message._any_request(data, _MAX_TOKEN)
        before, after = message.decode(data, _MAX_TOKEN), _sent_on(got, 2)
        kept = tuple(each for each in before.options if each[0] not in _PASSES_ON)
        assert (kept, before.payload) == (after.options, after.payload)


def fuzz_proxy_response(data: bytes) -> None:
    """An answer that is returned has the options and the payload that it came with."""
    with suppress(PeerError):
        got = proxy_message.read_response(data)
        assert got == proxy_message._any_response(data)
        before, after = message.decode(data, 65_804), _sent_on(got, got.code)
        assert (before.options, before.payload) == (after.options, after.payload)


def _sent_on(got: Request | Response, code: int) -> message.Message:
    token = got.token[:8]
    return message.decode(proxy_message.write(got.type, code, got.message_id, token, got.body))


def fuzz_proxy_token(data: bytes) -> None:
    """A token that was sealed opens once, as what it was; any other, or a changed one, does not."""
    sealer = TokenSealer(lambda count: bytes(range(count)), 0)
    for opened in (sealer.peek, lambda token: sealer.open(token, 0)):
        with suppress(PeerError):
            opened(data)
            raise AssertionError("it was not sealed here")
    if len(data) < 26:
        return
    head = LINK_LOCAL_PREFIX + data[8:16] if data[0] & 1 else b"\x20" + data[1:16]
    scope = data[1] if data[0] & 1 else 0
    asked = b"\x20" + data[3:18] if data[0] & 2 else b""
    origin = Origin(head, data[16] << 8 | data[17], scope, data[18] & 3, data[19], data[26:], asked)
    token = sealer.seal(origin, 5_000)
    with suppress(PeerError):
        at = data[20] % len(token)
        sealer.peek(token[:at] + bytes((token[at] ^ (data[21] or 1),)) + token[at + 1 :])
        raise AssertionError("it was changed")
    assert origin == sealer.peek(token) == sealer.open(token, 6_000)
    with suppress(PeerError):
        sealer.open(token, 6_000)
        raise AssertionError("it was open already")


_REQUEST = "190108141592cc00000002d411636f6170ff100571b3d6a5"
PROXY_TARGETS: dict[Target, tuple[bytes, ...]] = {
    fuzz_proxy_request: (
        H("4202d6f77453" + "39" + b"6tisch.arpa"[:9].hex() + _REQUEST),
        H("4102d6f774" + "3a" + b"6tisch.arpa"[:10].hex() + _REQUEST),
        message.encode(
            message.Message(
                0, 2, 7, b"tk",
                ((3, b"6tisch.arpa"), (9, H("190108141592cc00000002")), (39, b"coap")), b"x" * 9,
            )
        ),
        message.encode(
            message.Message(
                1, 2, 7, b"", ((3, b"6tisch.arpa"), (9, b"\x19\x01"), (11, b"j"), (15, b"q")), b"x"
            )
        ),
    ),
    fuzz_proxy_response: (
        message.encode(message.Message(2, 0x44, 7, bytes(31), ((9, b""),), b"protected")),
        message.encode(message.Message(1, 0x44, 7, b"t", ((9, b"\x01\x05"), (14, b"")), b"x")),
        message.encode(message.Message(0, 0xA0, 7, bytes(300), ((9, b""),), b"x")),
    ),
    fuzz_proxy_token: (
        bytes(range(40)),
        b"\x03" + bytes(30),
        b"\x00" * 26,
        b"\x02" + b"\xff" * 60,
    ),
}  # fmt: skip
"""Seeds by target."""
