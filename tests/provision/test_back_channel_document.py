"""`docs/back-channel.md` describes the protocol that the host and the C receiver speak."""

import ctypes
import re
from pathlib import Path

from jrc.model import Secret
from jrc.provision.backlines import (
    LABEL_CHECK,
    MAX_ID_BYTES,
    MAX_LINE_BYTES,
    Said,
    Why,
    Word,
    key_line,
    said_in,
    sealed,
    who_line,
)
from jrc.provision.bench import ANSWER_WITHIN_S
from jrc.provision.device import Device, derived_keys
from tests.provision.receiver import FOLDER, Receiver
from tests.provision.source import EUI64

TEXT = (Path(__file__).parents[2] / "docs/back-channel.md").read_text()
PSK = Secret(bytes.fromhex("e6bf4287c2d7618d6a9687445ffd33e6"))
"""RFC 9031 Appendix A."""


def _lines() -> list[str]:
    """The example."""
    return [line for line in TEXT.splitlines() if re.fullmatch(r"jrc1 .* crc=[0-9a-f]{8}", line)]


def test_the_example_is_what_the_host_sends_and_understands() -> None:
    """Byte by byte; the PSK is one that no registrar takes."""
    offer, key, *words = _lines()
    made = Device(identifier=EUI64, psk=PSK, keys=derived_keys(EUI64, PSK))
    assert key_line(made, "5b3c09aa") == key
    said = [said_in(line) for line in (offer, *words)]
    assert all(isinstance(each, Said) for each in said)
    assert [None, *[made.key_check] * 3] == [each.check for each in said]  # type: ignore[union-attr]


def test_the_example_is_what_the_receiver_says(code: ctypes.CDLL) -> None:
    """With the nonces of the example."""
    offer, key, *words = _lines()
    board = Receiver(code, EUI64)
    board.set_nonce(0x5B3C09AA)
    board.offer()
    board.feed(key.encode() + b"\n")
    board.feed(f"{who_line()}\n".encode())
    board.feed(key.encode() + b"\n")
    assert [offer, *words] == board.fetch().decode().split("\r\n")[:-1]


def test_the_document_has_each_word_reason_and_bound() -> None:
    """As the code has them; the header has the same bounds."""
    for word in Word:
        assert f"`jrc1 {word} " in TEXT
    assert list(Why) == re.findall(r"^   \| `(\w+)` \|", TEXT, re.MULTILINE)[1:]
    assert who_line() in TEXT
    assert f"at most {MAX_LINE_BYTES} characters" in TEXT
    assert f"1 to {MAX_ID_BYTES} bytes" in TEXT
    assert f"Within {ANSWER_WITHIN_S:.0f} seconds" in TEXT
    assert f"label {LABEL_CHECK}" in TEXT
    header = (FOLDER / "jrc_receiver.h").read_text()
    assert f"#define JRC_LINE_MAX {MAX_LINE_BYTES} " in header
    assert f"#define JRC_ID_MAX {MAX_ID_BYTES}\n" in header


def test_the_check_can_fail() -> None:
    """A line whose CRC is another's says nothing."""
    offer = _lines()[0]
    assert said_in(offer.replace("none", "None")) is None
    assert said_in(sealed("hello id=0 key=none n=5b3c09aa")) is None
