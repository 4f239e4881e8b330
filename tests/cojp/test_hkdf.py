"""HMAC and HKDF, against the standard library and the vectors of RFC 5869."""

import hmac

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jrc.cojp.hkdf import expand, extract, keyed, mac


@given(st.binary(max_size=200), st.binary(max_size=300), st.sampled_from(["sha256", "sha512"]))
@example(bytes(range(64)), b"a", "sha256")
@example(bytes(range(65)), b"a", "sha256")
@example(bytes(range(128)), b"a", "sha512")
@example(bytes(range(129)), b"a", "sha512")
def test_it_is_hmac(key: bytes, message: bytes, digest: str) -> None:
    """RFC 2104: with keys shorter than a block, as long, and longer; for several messages."""
    by = keyed(key, digest)
    assert hmac.digest(key, message, digest) == mac(by, message)
    assert hmac.digest(key, b"another", digest) == mac(by, b"another")


@pytest.mark.parametrize(
    ("secret", "salt", "info", "expected"),
    [
        (
            "0b" * 22,
            "000102030405060708090a0b0c",
            "f0f1f2f3f4f5f6f7f8f9",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf",
        ),
        (
            "0b" * 22,
            "",
            "",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d",
        ),
    ],
)
def test_it_is_hkdf(secret: str, salt: str, info: str, expected: str) -> None:
    """RFC 5869 Appendix A.1 and A.3, the first block of each."""
    by = extract(bytes.fromhex(salt), bytes.fromhex(secret), "sha256")
    assert expected == expand(by, bytes.fromhex(info), 32).hex()
    assert expected[:26] == expand(by, bytes.fromhex(info), 13).hex()
