"""Objects that can't be sent can't be built."""

import pytest

from jrc.cojp.objects import Configuration, LinkLayerKey, ShortIdentifier
from jrc.model import Secret

VALUE = Secret(bytes(range(16)))


@pytest.mark.parametrize("key_id", [1, 2, 253, 254])
@pytest.mark.parametrize("usage", range(15))
def test_d01_key_ids_1_to_254_take_every_usage(key_id: int, usage: int) -> None:
    """RFC 9031 §8.4.3, §8.4.3.3."""
    assert LinkLayerKey(key_id, VALUE, usage).key_id_mode == 1


@pytest.mark.parametrize(("key_id", "usage"), [(255, 0), (256, 0), (-1, 0), (1, 15), (1, -1)])
def test_d01_other_key_ids_and_usages_are_refused(key_id: int, usage: int) -> None:
    """RFC 9031 §8.4.3.3: IEEE 802.15.4 reserves 255; §11.2 ends at 14."""
    with pytest.raises(ValueError, match=r"key id|key usage"):
        LinkLayerKey(key_id, VALUE, usage)


@pytest.mark.parametrize(
    ("key_id", "addinfo", "mode"),
    [
        (0, bytes(2), 0),
        (0, bytes(8), 0),
        (0, bytes(10), 0),
        (7, None, 1),
        (7, bytes(4), 2),
        (7, bytes(8), 3),
    ],
)
def test_d02_the_key_id_mode_follows_from_id_and_addinfo(
    key_id: int, addinfo: bytes | None, mode: int
) -> None:
    """RFC 9031 §8.4.3.3: all four modes."""
    assert LinkLayerKey(key_id, VALUE, addinfo=addinfo).key_id_mode == mode


@pytest.mark.parametrize("size", [None, 0, 1, 3, 4, 7, 9, 11, 16])
def test_d04_mode_0_needs_an_address_of_2_8_or_10_bytes(size: int | None) -> None:
    """RFC 9031 §8.4.3.3: a short address, a long one, or the long one first and then the short."""
    with pytest.raises(ValueError, match="peer's address"):
        LinkLayerKey(0, VALUE, addinfo=None if size is None else bytes(size))


@pytest.mark.parametrize("size", [0, 1, 2, 3, 5, 7, 9, 10])
def test_d02_a_key_source_of_another_length_is_refused(size: int) -> None:
    """RFC 9031 §8.4.3.3: 4 or 8 bytes exactly."""
    with pytest.raises(ValueError, match="key source"):
        LinkLayerKey(1, VALUE, addinfo=bytes(size))


@pytest.mark.parametrize("size", [0, 15, 17, 32])
def test_a_key_value_of_another_length_is_refused(size: int) -> None:
    """RFC 9031 §8.4.3: the algorithm of every usage takes 16 bytes."""
    with pytest.raises(ValueError, match="16 bytes"):
        LinkLayerKey(1, Secret(bytes(size)))


def test_mic_lengths_are_told_in_bytes() -> None:
    """RFC 9031 §11.2."""
    assert [LinkLayerKey(1, VALUE, usage).mic_length for usage in (0, 1, 2, 12)] == [4, 8, 16, 4]


@pytest.mark.parametrize("identifier", [b"", b"\x01", b"\x00\x00\x01", b"\xff\xfe", b"\xff\xff"])
def test_f01_reserved_and_misshapen_short_identifiers_are_refused(identifier: bytes) -> None:
    """RFC 9031 §8.4.4.1: two bytes, never fffe or ffff."""
    with pytest.raises(ValueError, match=r"2 bytes|reserves"):
        ShortIdentifier(identifier)


def test_values_that_have_no_encoding_are_refused() -> None:
    """RFC 9031 §8.4.2, §8.4.4: unsigned integers, and an address of 16 bytes."""
    with pytest.raises(ValueError, match="lease"):
        ShortIdentifier(b"\x00\x01", -1)
    with pytest.raises(ValueError, match="join rate"):
        Configuration(join_rate_bytes_per_s=-1)
    with pytest.raises(ValueError, match="16 bytes"):
        Configuration(jrc_address=bytes(15))


def test_a_key_shows_nothing_of_its_value() -> None:
    """The value is a Secret in every text that a key or a configuration gives."""
    text = repr(Configuration((LinkLayerKey(1, VALUE),)))
    assert "[redacted]" in text
    assert repr(VALUE.reveal()) not in text
    assert VALUE.reveal().hex() not in text
