"""The key check value: what two people compare to know that they hold the same key.

It is computed over the derived keys, so that a PSK and its derived form (RFC 9031 Appendix B) have
the same. It tells nothing of a key that was drawn at random; a guessable one is refused anyhow.
"""

import hmac

CHECK_BYTES = 4
_PURPOSE = b"jrc key check value 1"


def key_check(pledge_sender_key: bytes, pledge_recipient_key: bytes, common_iv: bytes) -> str:
    """Eight hexadecimal digits for a device's keys, named from the pledge's side."""
    keys = pledge_sender_key + pledge_recipient_key + common_iv
    return hmac.digest(keys, _PURPOSE, "sha256")[:CHECK_BYTES].hex()
