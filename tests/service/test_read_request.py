"""What a verified plaintext asks for, read, refused or remembered (RFC 8613 §4.1.3.2)."""

from collections.abc import Iterator
from typing import Any

import pytest

from jrc.cojp import message
from jrc.cojp.constants import CoapCode, OptionNumber
from jrc.cojp.objects import JoinRequest
from jrc.errors import PeerError, Reason
from jrc.service import intake as intakes
from jrc.service.intake import read_request
from jrc.service.join import Refusal
from jrc.service.join_ports import KnownContext
from tests.service.door import JOIN, Door
from tests.service.fakes import device, known_context

PATH = (int(OptionNumber.URI_PATH), b"j")


def inner(code: int, *options: tuple[int, bytes], payload: bytes = JOIN) -> bytes:
    return message.encode_inner(code, options, payload)


def test_c01_an_inner_request_may_repeat_host_and_port() -> None:
    """RFC 8613 §4.1.3.2."""
    options = ((3, b"6tisch.arpa"), (7, b"\x16\x33"), PATH)
    assert JoinRequest(b"\xca\xfe") == read_request(inner(CoapCode.POST, *options))


@pytest.mark.parametrize(
    ("plaintext", "code"),
    [
        (inner(CoapCode.POST), CoapCode.NOT_FOUND),
        (inner(CoapCode.POST, (11, b"J")), CoapCode.NOT_FOUND),
        (inner(CoapCode.POST, PATH, PATH), CoapCode.NOT_FOUND),
        (inner(CoapCode.GET, PATH), CoapCode.METHOD_NOT_ALLOWED),
        (inner(CoapCode.POST, PATH, (15, b"a=b")), CoapCode.BAD_OPTION),
        (inner(CoapCode.GET, (65001, b"")), CoapCode.BAD_OPTION),
    ],
)  # fmt: skip
def test_c04_what_is_no_post_to_j_inside_gets_a_protected_error(
    plaintext: bytes, code: int
) -> None:
    """RFC 7252 §5.4.1, §5.8."""
    refusal = read_request(plaintext)
    assert isinstance(refusal, Refusal)
    assert (code, b"") == (refusal.code, refusal.payload)


@pytest.mark.parametrize(
    ("payload", "diagnostic", "reason"),
    [
        ("a0", "830105f6", Reason.MALFORMED_OBJECT),
        ("a10501", "830105f6", Reason.MALFORMED_OBJECT),
        ("a20542cafe0542cafe", "830105f6", Reason.MALFORMED_OBJECT),
        ("a10542cafe00", "830105f6", Reason.MALFORMED_OBJECT),
        ("", "830105f6", Reason.MALFORMED_OBJECT),
        ("a20542cafe0900", "830009f6", Reason.UNKNOWN_PARAMETER),
        ("a201070542cafe", "83000107", Reason.UNKNOWN_ROLE),
    ],
)
def test_c04_c05_a_bad_object_gets_its_diagnostic(
    payload: str, diagnostic: str, reason: Reason
) -> None:
    """RFC 9031 §8.3.1, §8.3.2."""
    request = read_request(inner(CoapCode.POST, PATH, payload=bytes.fromhex(payload)))
    assert Refusal(CoapCode.BAD_REQUEST, bytes.fromhex(diagnostic), reason) == request


def test_b06_what_is_no_coap_inside_is_silence_and_holds_no_place(
    door: Door, known: KnownContext
) -> None:
    """RFC 9031 §7.3.2; the next request of the pledge is not kept waiting."""
    with pytest.raises(PeerError):
        read_request(b"")
    pledge = device()
    assert Reason.MALFORMED_INNER == door.drop_of(pledge.request(plaintext=b"\x00"))
    door.take(pledge.request(JOIN))
    assert 1 == len(door.asks)


@pytest.fixture
def memo() -> Iterator[Any]:
    """The memory of usual plaintexts, empty before and after."""
    intakes._read_usual.cache_clear()
    yield intakes._read_usual
    intakes._read_usual.cache_clear()


def asking(number: int, size: int = 0) -> bytes:
    """The plaintext of a Join Request for a network of its own, ``size`` bytes long if that."""
    payload = b"\xa1\x05\x44" + number.to_bytes(4)
    plain = inner(CoapCode.POST, PATH, payload=payload)
    padding = size - len(plain) - 2
    if padding > 0:
        payload = b"\xa1\x05\x58" + bytes((4 + padding + 1,)) + bytes(padding + 1)
        payload += number.to_bytes(4)
    return inner(CoapCode.POST, PATH, payload=payload)


def test_what_usual_requests_say_is_read_once(memo: Any) -> None:
    """Pledges of one network ask for the same in the same bytes; each still waits for itself."""
    contexts = [known_context(number) for number in range(1, 5)]
    door = Door(*contexts)
    door.take(*(device(number).request(JOIN) for number in range(1, 5)))
    assert (1, 3) == (memo.cache_info().misses, memo.cache_info().hits)
    assert [JoinRequest(b"\xca\xfe")] * 4 == [ask.content for ask in door.asks]
    assert contexts == [ask.known for ask in door.asks]


def test_usual_requests_are_told_apart_by_every_byte(memo: Any) -> None:
    """Also refused ones, whose diagnostics are remembered as well."""
    plaintexts = [
        asking(1), asking(2), inner(CoapCode.POST, PATH), inner(CoapCode.GET, PATH),
        inner(CoapCode.POST), inner(CoapCode.POST, PATH, payload=b"\xa0"),
    ]  # fmt: skip
    door = Door(known_context())
    for number, plaintext in enumerate(plaintexts * 2):
        door.take(device(first=number).request(plaintext=plaintext))
        assert read_request(plaintext) == door.asks[-1].content
        door.commit()
    assert len(plaintexts) == memo.cache_info().currsize


@pytest.mark.parametrize(("size", "kept"), [(63, 1), (64, 1), (65, 0), (200, 0)])
def test_what_is_longer_than_64_bytes_is_not_remembered(memo: Any, size: int, kept: int) -> None:
    """A pledge may report up to 1,024 bytes (row C12), and other ones with each request."""
    plaintext = asking(7, size)
    assert size == len(plaintext)
    door = Door(known_context())
    door.take(device().request(plaintext=plaintext))
    assert isinstance(door.asks[0].content, JoinRequest)
    assert kept == memo.cache_info().currsize


def test_what_is_remembered_is_bounded(memo: Any) -> None:
    """A pledge that asks for something else each time fills nothing."""
    door = Door(known_context())
    for number in range(600):
        door.take(device(first=number).request(plaintext=asking(number)))
        door.commit()
    info = memo.cache_info()
    assert info.maxsize is not None
    assert info.currsize <= info.maxsize <= 256


def test_b06_what_is_no_coap_inside_is_not_remembered(memo: Any, door: Door) -> None:
    """Nor taken for anything later."""
    for number in range(3):
        dropped = door.drop_of(device(first=number).request(plaintext=b"\x00"))
        assert Reason.MALFORMED_INNER == dropped
    assert 0 == memo.cache_info().currsize
