"""Lines of the back-channel, whatever is done to them: a device has the key that was sent, or none.

The C receiver of ``deploy/examples/serial`` reads them.
"""

import ctypes
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jrc.model import PledgeId
from jrc.provision.backlines import MAX_LINE_BYTES, key_line, payload, said_in, sealed
from jrc.provision.generate import generate
from jrc.provision.source import KeySource
from tests.provision.receiver import Foreseeable, Receiver, as_sent
from tests.provision.source import EUI64, device

QUICK = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def _resealed(line: str, old: str, new: str) -> str:
    """A line with something else in it, and a CRC that fits."""
    text = line.rpartition(" crc=")[0].removeprefix("jrc1 ")
    assert old in text
    return sealed(text.replace(old, new, 1))


GOOD = key_line(device(), "00000001")


WRONG = {
    "CRC": (GOOD[:-1] + ("0" if GOOD[-1] != "0" else "1"), "checksum"),
    "no CRC": (GOOD.rpartition(" ")[0], "checksum"),
    "length": (_resealed(GOOD, "len=35", "len=36"), "checksum"),
    "no length": (_resealed(GOOD, "len=35", "len="), "checksum"),
    "cut data": (_resealed(GOOD, "len=35 data=a3", "len=35 data="), "checksum"),
    "half a byte": (_resealed(GOOD, "data=a", "data="), "checksum"),
    "large digits": (_resealed(GOOD, "data=a3", "data=A3"), "checksum"),
    "nonce": (_resealed(GOOD, "n=00000001", "n=00000002"), "late"),
    "no nonce": (_resealed(GOOD, "n=00000001", "n=0000000"), "checksum"),
    "no map": (_resealed(GOOD, "data=a3", "data=83"), "form"),
    "one entry less": (_resealed(GOOD, "data=a3", "data=a2"), "form"),
    "one entry more": (_resealed(GOOD, "data=a3", "data=a4"), "form"),
    "no PSK": (_resealed(GOOD, "0250", "0750"), "form"),
    "a label twice": (_resealed(GOOD, "0250", "0150"), "form"),
    "no check value": (_resealed(GOOD, "0644", "0744"), "form"),
    "identifier": (_resealed(GOOD, "00124b0014b5b67e", "00124b0014b5b67f"), "other"),
}


def test_the_check_value_is_the_registrars_for_each_form_and_length(code: ctypes.CDLL) -> None:
    """The C code derives as RFC 9031 App. B has it."""
    for length, derived in product((1, 8, 23, 24, 32), (False, True)):
        name = PledgeId(bytes(range(7, 7 + length)))
        (made,) = generate([name], KeySource(Foreseeable()), derived=derived)
        board = Receiver(code, name)
        board.offer()
        board.feed(as_sent(made, "00000001"))
        assert made.key_check == board.check
        assert len(key_line(made, "00000001")) <= MAX_LINE_BYTES


@QUICK
@given(position=st.integers(0), byte=st.integers(0, 255), derived=st.booleans())
def test_a_changed_byte_never_stores_a_wrong_key(
    code: ctypes.CDLL, position: int, byte: int, derived: bool
) -> None:
    """On its way to the device: it has the whole key, or none."""
    made = device(derived=derived)
    line = bytearray(as_sent(made, "00000001"))
    line[position % len(line)] = byte
    board = Receiver(code, EUI64)
    board.offer()
    board.feed(bytes(line))
    assert board.check in (None, made.key_check)


@QUICK
@given(data=st.data())
def test_cut_doubled_or_lost_pieces_never_store_a_wrong_key(
    code: ctypes.CDLL, data: st.DataObject
) -> None:
    """Whatever is done to the bytes on their way; the device is as good as before then."""
    made = device()
    line = as_sent(made, "00000001")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(line)), max_size=4)))
    pieces = [line[a:b] for a, b in zip([0, *cuts], [*cuts, len(line)], strict=True)]
    order = data.draw(st.lists(st.sampled_from(pieces), max_size=8))
    board = Receiver(code, EUI64)
    board.offer()
    board.feed(b"".join(order))
    assert board.check in (None, made.key_check)
    if board.flash is None:
        board.feed(b"\n")
        board.fetch()
        board.offer()
        said = said_in(board.fetch().decode().strip())
        board.feed(as_sent(made, said.nonce))  # type: ignore[union-attr]
        assert board.check == made.key_check


"""What is wrong with a line, the line, and why it is refused."""


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_line_is_refused_with_its_reason(code: ctypes.CDLL, what: str) -> None:
    """And nothing of it is stored."""
    line, why = WRONG[what]
    board = Receiver(code, EUI64)
    board.offer()
    board.fetch()
    board.feed(f"\r\n{line}\r\n".encode())
    said = said_in(board.fetch().decode().strip())
    assert ("refused", None, why) == (said.word, said.check, said.why)  # type: ignore[union-attr]
    assert [] == board.writes


@pytest.mark.parametrize("derived", [False, True])
def test_a_wrong_key_is_known_by_its_check_value(code: ctypes.CDLL, derived: bool) -> None:
    """Each bit of what was sealed with a CRC that fits: it is not stored."""
    good = payload(device(derived=derived))
    for bit in range(8 * len(good)):
        changed = bytearray(good)
        changed[bit // 8] ^= 1 << bit % 8
        board = Receiver(code, EUI64)
        board.offer()
        board.feed(_line_of(bytes(changed)))
        assert [] == board.writes, bit


@QUICK
@given(content=st.binary(max_size=120), is_map=st.booleans())
def test_no_content_stores_a_wrong_key(code: ctypes.CDLL, content: bytes, is_map: bool) -> None:
    """With length and CRC as they ought to be: the check value has the last word."""
    made = device()
    good = payload(made)
    changed = good[: len(content) % len(good)] + content if is_map else content
    board = Receiver(code, EUI64)
    board.offer()
    board.feed(_line_of(changed))
    assert board.check in (None, made.key_check)
    assert (board.check is None) or changed == good


@QUICK
@given(position=st.integers(0), byte=st.integers(1, 255))
def test_a_changed_byte_of_a_devices_word_is_not_believed(
    code: ctypes.CDLL, position: int, byte: int
) -> None:
    """On its way to the host: it is no line, or says the same."""
    board = Receiver(code, EUI64)
    board.offer()
    line = bytearray(board.fetch().strip())
    said = said_in(line.decode())
    line[position % len(line)] ^= byte
    assert said_in(line.decode("utf-8", "replace")) in (None, said)


@QUICK
@given(data=st.text(max_size=300))
def test_any_line_says_something_or_nothing(data: str) -> None:
    """The reader of lines is total."""
    said_in(data)
    said_in(f"jrc1 {data}")


def _line_of(content: bytes) -> bytes:
    text = sealed(f"key n=00000001 len={len(content)} data={content.hex()}")
    return f"\r\n{text}\r\n".encode()
