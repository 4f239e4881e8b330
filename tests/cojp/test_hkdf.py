"""HKDF against the vectors of RFC 5869."""

import pytest

from jrc.cojp.hkdf import expand, extract


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
