"""RFC 8613 App. B.2 on the wire (row B7)."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrc.cojp import recovery
from jrc.cojp.oscore import OscoreOption, decode_option
from jrc.cojp.recovery import R2_BYTES, Claim

R2 = bytes(range(R2_BYTES))


@given(r3=st.binary(min_size=8, max_size=200))
def test_b07_id3_is_read_raw_and_wrapped(r3: bytes) -> None:
    """Row B7; of both forms R2 is the beginning of the content."""
    expected = Claim(R2, R2 + r3)
    raw, wrapped = recovery.kid_contexts_of(R2 + r3)
    assert cbor2.dumps(R2 + r3) == wrapped
    assert expected in list(recovery.claims(raw))
    assert expected == next(recovery.claims(wrapped))


@pytest.mark.parametrize("length", range(8))
def test_b07_a_nonce_of_less_than_eight_bytes_is_none(length: int) -> None:
    """RFC 9031 §8.3.3."""
    assert [] == list(recovery.claims(R2 + bytes(length)))
    assert recovery.r2_of(OscoreOption(None, None, cbor2.dumps(bytes(length)))) is None


@given(data=st.binary(max_size=300))
def test_b07_any_kid_context_is_read_without_failing(data: bytes) -> None:
    """RFC 9031 §7.3.2: it comes from anybody."""
    for claim in recovery.claims(data):
        assert data in recovery.kid_contexts_of(claim.id3)


def test_b07_response_1_is_read_by_a_client_as_it_was_written() -> None:
    """RFC 8613 App. B.2 step 2, 3: R2 in a CBOR bstr, and no other field."""
    option = decode_option(recovery.response_option(R2))
    assert OscoreOption(None, None, b"\x50" + R2) == option
    assert R2 == recovery.r2_of(option)
    assert recovery.r2_of(OscoreOption(None, None, None)) is None
    assert recovery.r2_of(OscoreOption(None, None, b"\x50" + R2 + b"\x00")) is None
