"""Who is dropped by link-layer source or kid context (RFC 9031 §8.4.2)."""

import pytest

from jrc.coap.blocklist import MAX_BLOCKED, Blocklist
from jrc.cojp.oscore import OscoreOption, encode_option

EUI64 = bytes.fromhex("00124b0014b5b67e")
LINK_LOCAL = bytes.fromhex("fe80000000000000")
OTHER = LINK_LOCAL + bytes.fromhex("0000000000000001")


def option(kid_context: bytes | None) -> bytes:
    return encode_option(OscoreOption(b"\x01", b"", kid_context))


@pytest.mark.parametrize(
    ("identifier", "iid"),
    [
        (EUI64, "02124b0014b5b67e"),
        (bytes.fromhex("02124b0014b5b67e"), "00124b0014b5b67e"),
        (bytes.fromhex("00124b14b5b6"), "02124bfffe14b5b6"),
        (bytes.fromhex("1a2b"), "000000fffe001a2b"),
        (bytes.fromhex("1a2b"), "cafe00fffe001a2b"),
    ],
)
def test_p05_a_link_layer_source_is_told_by_the_interface_identifier(
    identifier: bytes, iid: str
) -> None:
    """EUI-64, EUI-48, 16-bit short with or without PAN (RFC 4944 §6, RFC 6282 §3.2.2)."""
    blocked = Blocklist.of([identifier])
    assert blocked.holds(LINK_LOCAL + bytes.fromhex(iid), option(b"another"))
    assert not blocked.holds(OTHER, option(b"another"))


@pytest.mark.parametrize("iid", ["00124b0014b5b67e", "000000fffe001a2c", "00000000000a1a2b"])
def test_p05_others_are_not_taken_for_one_on_the_list(iid: str) -> None:
    """The universal/local bit is inverted (RFC 4291 App. A), the middle of a short one fixed."""
    blocked = Blocklist.of([EUI64, bytes.fromhex("1a2b")])
    assert not blocked.holds(LINK_LOCAL + bytes.fromhex(iid), option(None))


@pytest.mark.parametrize("identifier", [b"\x01", EUI64, b"a" * 248])
def test_p05_a_pledge_is_told_by_its_kid_context(identifier: bytes) -> None:
    """Whatever address it uses (RFC 9031 §7.3)."""
    blocked = Blocklist.of([identifier])
    assert blocked.holds(OTHER, option(identifier))
    assert not blocked.holds(OTHER, option(identifier + b"x"))
    assert not blocked.holds(OTHER, option(None))


def test_p05_an_option_that_can_not_be_read_names_nobody() -> None:
    """It ends at the registrar, for the proxy has no key to judge it with."""
    assert not Blocklist.of([EUI64]).holds(OTHER, b"\xff")


def test_p05_the_list_is_bounded() -> None:
    """What a registrar can make a proxy hold has an end."""
    blocked = Blocklist.of(number.to_bytes(8) for number in range(MAX_BLOCKED + 100))
    assert MAX_BLOCKED == len(blocked.identifiers)
