"""The key check value: equal for equal keys, and of no use to anybody else."""

import hashlib
import hmac

from jrc.cojp.oscore_context import derive_for_jrc
from jrc.policy.key_check import key_check

PSK, PLEDGE_ID = b"\x11" * 16, bytes.fromhex("00124b0014b5b67e")


def derived() -> tuple[bytes, bytes, bytes]:
    """The keys of RFC 9031 Appendix B for the PSK, from the pledge's side."""
    context = derive_for_jrc(PSK, PLEDGE_ID)
    return context.recipient_key, context.sender_key, context.common_iv


def test_it_is_the_first_four_bytes_of_an_hmac_over_the_derived_keys() -> None:
    """Anybody can compute it: HMAC-SHA256 keyed with sender key, recipient key and Common IV."""
    key = b"".join(derived())
    expected = hmac.new(key, b"jrc key check value 1", hashlib.sha256).hexdigest()[:8]
    assert key_check(*derived()) == expected


def test_each_key_counts() -> None:
    """Another sender key, recipient key or Common IV gives another value."""
    keys = derived()
    for at in range(3):
        changed = [*keys]
        changed[at] = bytes([keys[at][0] ^ 1]) + keys[at][1:]
        assert key_check(*changed) != key_check(*keys)
