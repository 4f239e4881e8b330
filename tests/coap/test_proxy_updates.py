"""Parameter Updates of the Join Proxy as a CoJP node (RFC 9031 §8.2)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from jrc.cojp import codec, message, oscore
from jrc.cojp.constants import (
    JRC_ID,
    CoapCode,
    Code,
    Label,
    MessageType,
    OptionNumber,
)
from jrc.cojp.message import Inner, Message
from jrc.cojp.objects import Configuration, UnsupportedParameter
from jrc.errors import Reason
from tests.coap.proxy_registrar import BLOCKED, KEYS, PATH, Registrar, option_of


@pytest.fixture
def registrar(tmp_path: Path) -> Iterator[Registrar]:
    made = Registrar(tmp_path / "state")
    yield made
    made.state.close()


def test_d01_an_update_changes_rate_and_blocklist(registrar: Registrar) -> None:
    """2.04, in the ACK of a CON (RFC 9031 §8.2.1, RFC 7252 §5.2.1)."""
    registrar.made_fresh()
    request = registrar.update(BLOCKED)
    (answer,) = registrar.node.receive(request)
    outer = message.decode(answer)
    assert (outer.type, outer.message_id, outer.token) == (MessageType.ACK, 99, b"upd")
    assert registrar.read(answer, request) == Inner(CoapCode.CHANGED, (), b"")
    assert registrar.configured == [(BLOCKED, False)]


def test_d01_a_non_gets_a_non(registrar: Registrar) -> None:
    """RFC 7252 §5.2.3."""
    (answer,) = registrar.made_fresh().node.receive(registrar.update(BLOCKED, type=MessageType.NON))
    assert message.decode(answer).type == MessageType.NON


def test_b03_a_replayed_update_is_silent(registrar: Registrar) -> None:
    """Also after another one came (RFC 8613 §7.4)."""
    registrar.made_fresh()
    old = registrar.update(BLOCKED)
    registrar.ask(old)
    registrar.ask(registrar.update(Configuration(blocklist=())))
    assert tuple(registrar.node.receive(old)) == ()
    assert len(registrar.configured) == 2


def test_b03_a_replayed_update_is_silent_after_a_restart(tmp_path: Path) -> None:
    """The window is on disk (RFC 9031 §7.3.1)."""
    first = Registrar(tmp_path / "state").made_fresh()
    old = first.update(BLOCKED)
    first.ask(old)
    first.state.close()
    second = Registrar(tmp_path / "state")
    assert tuple(second.node.receive(old)) == ()
    assert second.configured == []
    second.number = first.number
    assert second.ask(second.update(BLOCKED)).code == CoapCode.CHANGED
    second.state.close()


def test_c11_a_copy_of_the_last_update_gets_the_same_answer_and_has_no_second_effect(
    registrar: Registrar,
) -> None:
    """Our answer may have been lost; its nonce protects one plaintext (RFC 8613 §5.2)."""
    registrar.made_fresh()
    request = registrar.update(BLOCKED)
    (first,) = registrar.node.receive(request)
    (second,) = registrar.node.receive(request)
    assert first == second
    assert len(registrar.configured) == 1


def test_c11_a_ciphertext_under_another_number_is_no_copy(registrar: Registrar) -> None:
    """It does not verify, so there is silence (RFC 9031 §7.3.2)."""
    registrar.made_fresh()
    first = registrar.update(BLOCKED)
    registrar.ask(first)
    other = message.decode(registrar.update(BLOCKED))
    forged = other._replace(payload=message.decode(first).payload)
    assert tuple(registrar.node.receive(message.encode(forged))) == ()
    assert registrar.dropped == [Reason.BAD_TAG]


@pytest.mark.parametrize(
    ("payload", "reported"),
    [
        (b"\xa1\x18\x63\x01", UnsupportedParameter(Code.UNSUPPORTED, 0x63)),
        (b"\xa1\x07\x41\x00", UnsupportedParameter(Code.MALFORMED, Label.JOIN_RATE)),
        (b"\xa2\x07\x01\x07\x02", UnsupportedParameter(Code.MALFORMED, Label.JOIN_RATE)),
        (b"", UnsupportedParameter(Code.MALFORMED, Label.LINK_LAYER_KEY_SET)),
        (
            codec.encode_configuration(KEYS),
            UnsupportedParameter(Code.UNSUPPORTED, Label.LINK_LAYER_KEY_SET),
        ),
    ],
)
def test_d01_what_can_not_be_acted_upon_gets_a_diagnostic_and_changes_nothing(
    registrar: Registrar, payload: bytes, reported: UnsupportedParameter
) -> None:
    """4.00 with Unsupported_Configuration, keys included: none is installed (RFC 9031 §8.3.2)."""
    answer = registrar.made_fresh().ask(registrar.request(payload))
    assert answer == Inner(CoapCode.BAD_REQUEST, (), codec.encode_unsupported((reported,)))
    assert registrar.configured == []


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"options": ()}, CoapCode.NOT_FOUND),
        ({"options": ((int(OptionNumber.URI_PATH), b"k"),)}, CoapCode.NOT_FOUND),
        ({"code": CoapCode.GET}, CoapCode.METHOD_NOT_ALLOWED),
        ({"options": (*PATH, (int(OptionNumber.URI_QUERY), b"q"))}, CoapCode.BAD_OPTION),
        ({"options": (*PATH, (252, b"e"))}, CoapCode.CHANGED),
    ],
)
def test_d01_what_is_no_post_to_j_gets_a_protected_error(
    registrar: Registrar, fields: dict[str, object], code: int
) -> None:
    """RFC 7252 §5.4.1, §5.8, within the security context."""
    assert registrar.made_fresh().ask(registrar.update(BLOCKED, **fields)).code == code


def test_b06_updates_that_do_not_verify_are_silent_and_write_nothing(registrar: Registrar) -> None:
    """RFC 9031 §7.3.2: no 4.01, no RST, and the window stays (RFC 8613 §8.2)."""
    registrar.made_fresh()
    good = registrar.update(BLOCKED, number=9000)
    window = registrar.state.window
    kid_only = oscore.encode_option(oscore.OscoreOption(None, JRC_ID, None))
    bad = [
        good[:-1] + bytes((good[-1] ^ 1,)),
        registrar.update(BLOCKED, option=kid_only),
        registrar.update(BLOCKED, option=b""),
        registrar.update(BLOCKED, option=b"\xff"),
        *(
            registrar.update(BLOCKED, number=9001, option=oscore.encode_option(option))
            for option in (
                oscore.OscoreOption(oscore.encode_piv(9001), b"XYZ", None),
                oscore.OscoreOption(oscore.encode_piv(9001), JRC_ID, b"other"),
            )
        ),
        message.encode(Message(0, CoapCode.POST, 1, b"", (), b"plain")),
        *(good[:size] for size in range(len(good))),
    ]
    for datagram in bad:
        assert tuple(registrar.node.receive(datagram)) == (), datagram.hex()
    assert registrar.state.window == window
    assert registrar.ask(good).code == CoapCode.CHANGED


def test_b07_with_an_unknown_window_the_registrar_has_to_be_fresh_first(
    registrar: Registrar,
) -> None:
    """4.01 with Echo under a number of our own, then the same with it (RFC 8613 App. B.1.2)."""
    old, first = registrar.update(BLOCKED), registrar.update(BLOCKED)
    challenge = registrar.ask(first)
    echo = oscore.echo_of(challenge)
    assert echo is not None
    (answer,) = registrar.node.receive(registrar.update(BLOCKED))
    assert oscore.decode_option(option_of(message.decode(answer))).piv is not None
    assert oscore.echo_of(registrar.ask(old)) is not None
    assert registrar.configured == []
    last = oscore.echo_of(registrar.ask(registrar.update(BLOCKED)))
    assert last is not None
    again = registrar.update(BLOCKED, options=oscore.with_echo(PATH, last))
    assert registrar.ask(again).code == CoapCode.CHANGED
    assert tuple(registrar.node.receive(old)) == ()
    assert registrar.ask(registrar.update(BLOCKED)).code == CoapCode.CHANGED


def test_b03_an_update_that_can_not_be_written_down_gets_no_answer(
    registrar: Registrar, tmp_path: Path
) -> None:
    """RFC 9031 §7.3.1: the window is on disk before the answer leaves."""
    registrar.made_fresh()
    (tmp_path / "state.new").mkdir()
    request = registrar.update(BLOCKED)
    assert tuple(registrar.node.receive(request)) == ()
    assert registrar.configured == []
    (tmp_path / "state.new").rmdir()
    assert registrar.ask(request).code == CoapCode.CHANGED
