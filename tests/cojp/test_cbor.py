"""The strict CBOR reader, held against cbor2."""

from io import BytesIO

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jrc.cojp import cbor
from jrc.cojp.constants import MAX_CBOR_DEPTH
from tests.cojp.strategies import integers, items


@given(integers)
def test_integers_are_written_as_cbor2_writes_them(value: int) -> None:
    """RFC 8949 §4.2.1: the shortest form."""
    assert cbor.encode_int(value) == cbor2.dumps(value)


@pytest.mark.parametrize("value", [0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**64 - 1])
def test_heads_change_their_length_where_they_must(value: int) -> None:
    """RFC 8949 §3: one, two, three, five and nine bytes."""
    assert cbor.head(cbor.UNSIGNED, value) == cbor2.dumps(value)
    assert cbor.read_unsigned(cbor.head(cbor.UNSIGNED, value), 0)[0] == value


def test_a_value_beyond_64_bits_has_no_head() -> None:
    """RFC 8949 §3."""
    with pytest.raises(OverflowError):
        cbor.head(cbor.UNSIGNED, 2**64)


@given(items, st.binary(max_size=4))
def test_skip_finds_the_end_of_what_cbor2_wrote(item: bytes, rest: bytes) -> None:
    """RFC 8949 §3: whatever follows the item."""
    assert cbor.skip(item + rest, 0) == len(item)


@given(items)
def test_an_item_truncated_anywhere_is_not_well_formed(item: bytes) -> None:
    """RFC 8949 §3: every proper prefix ends too early."""
    for end in range(len(item)):
        with pytest.raises(cbor.NotWellFormedError):
            cbor.skip(item[:end], 0)


@given(st.binary(max_size=40))
@example(b"\xf8\x18")
@example(b"\x5f\x41\x00\xff")
@example(b"\x9f\xff")
@example(b"\xff")
def test_skip_ends_where_cbor2_ends_or_refuses(data: bytes) -> None:
    """RFC 8949 §3: no byte more or less than another decoder takes, where that one takes any."""
    stream = BytesIO(data)
    try:
        cbor2.CBORDecoder(stream, read_size=1).decode()
    except cbor2.CBORDecodeError:
        theirs = None
    else:
        theirs = stream.tell()
    try:
        ours = cbor.skip(data, 0)
    except cbor.NotWellFormedError:
        return
    assert theirs in (None, ours)


@pytest.mark.parametrize(
    "encoded",
    [
        "1c", "1d", "1e", "3c", "5c", "7c", "9c", "bc", "dc", "fc", "fd", "fe",
        "1f", "3f", "df", "ff",
        "f800", "f817", "f81f",
        "5f00ff", "5f6161ff", "7f4161ff", "5f5f4100ffff",
        "bf00ff", "81ff", "a1ff", "a100ff", "c0", "9f", "5f", "bf",
        "5b7fffffffffffffff", "9bffffffffffffffff", "bbffffffffffffffff", "9a00ffffff00",
    ],
)  # fmt: skip
def test_c12_what_is_not_well_formed_is_refused(encoded: str) -> None:
    """RFC 8949 §3, Appendix F: reserved heads, lost breaks, wrong chunks, absent contents."""
    with pytest.raises(cbor.NotWellFormedError):
        cbor.skip(bytes.fromhex(encoded), 0)


@pytest.mark.parametrize("opening", ["81", "a100", "c1", "9f", "d818", "d9d9f7"])
def test_c12_nesting_ends_at_the_limit(opening: str) -> None:
    """Arrays, maps, tags and indefinite lengths all count as one level."""
    close = b"\xff" if opening == "9f" else b""
    deepest = bytes.fromhex(opening) * MAX_CBOR_DEPTH + b"\x00" + close * MAX_CBOR_DEPTH
    assert cbor.skip(deepest, 0) == len(deepest)
    with pytest.raises(cbor.NotWellFormedError):
        cbor.skip(bytes.fromhex(opening) + deepest + close, 0)


def test_c12_indefinite_strings_count_as_a_level() -> None:
    """RFC 8949 §3.2.3."""
    inside = b"\x5f\x41\x00\xff"
    nested = b"\x81" * (MAX_CBOR_DEPTH - 1) + inside
    assert cbor.skip(nested, 0) == len(nested)
    with pytest.raises(cbor.NotWellFormedError):
        cbor.skip(b"\x81" + nested, 0)


@pytest.mark.parametrize("encoded", ["1800", "190005", "1a00000005", "1b0000000000000005"])
def test_longer_integers_than_need_be_are_read(encoded: str) -> None:
    """RFC 8949 §3: well-formed, though not preferred."""
    value, end = cbor.read_unsigned(bytes.fromhex(encoded), 0)
    assert (value, end) == (cbor2.loads(bytes.fromhex(encoded)), len(encoded) // 2)


@given(st.binary(max_size=20))
def test_readers_of_one_type_take_nothing_else(data: bytes) -> None:
    """Each gives a value and a position within the data, or refuses."""
    for read, major in (
        (cbor.read_unsigned, {cbor.UNSIGNED}),
        (cbor.read_int, {cbor.UNSIGNED, cbor.NEGATIVE}),
        (cbor.read_bytes, {cbor.BYTES}),
        (cbor.read_text, {cbor.TEXT}),
    ):
        try:
            value, end = read(data, 0)
        except (cbor.NotWellFormedError, UnicodeDecodeError):
            continue
        assert data[0] >> 5 in major
        assert end <= len(data)
        assert value == cbor2.loads(data[:end])
