"""Keys that everybody can read are refused, with where they stand."""

import json
from pathlib import Path

import pytest

from jrc.model import PledgeId
from jrc.policy.credentials import check_psk, weakness_of
from jrc.policy.published_keys import PUBLISHED_KEYS

EUI64 = PledgeId(bytes.fromhex("00124b0014b5b67e"))
VECTORS = Path(__file__).parents[1] / "vectors"


@pytest.mark.parametrize("key", PUBLISHED_KEYS, ids=bytes.hex)
def test_a02_a_published_key_is_refused_with_its_source(key: bytes) -> None:
    """RFC 9031 §3; a lab may take it all the same."""
    with pytest.raises(ValueError, match="weak: it is published") as caught:
        check_psk(EUI64, key)
    assert PUBLISHED_KEYS[key] in str(caught.value)
    assert key.hex() not in str(caught.value)
    check_psk(EUI64, key, allow_weak=True)


@pytest.mark.parametrize(
    "text",
    [
        b"ZigBeeAlliance09".hex(),
        b"DUSTNETWORKSROCK".hex(),
        b"6TiSCH minimal15".hex(),
        "00112233445566778899aabbccddeeff",
        "000102030405060708090a0b0c0d0e0f",
        "101112131415161718191a1b1c1d1e1f",
        "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf",
        "deadbeeffacecafedeadbeeffacecafe",
        "deadbeefcafedeadbeefcafedeadbeef",
        "11111111111111111111111111111111",
        "0102030405060708090a0b0c0d0e0f10",
    ],
)
def test_a02_defaults_of_firmware_with_a_pattern_need_no_list(text: str) -> None:
    """Zigbee, SmartMesh IP, Contiki-NG, OpenThread, OpenWSN, RFC 8613 and RFC 3610."""
    key = bytes.fromhex(text)
    assert weakness_of(EUI64, key) is not None
    assert key not in PUBLISHED_KEYS


def test_a02_every_key_of_the_examples_of_rfc_8613_is_refused() -> None:
    """Sender and recipient keys too, since they could be given as derived keys."""
    printed = json.loads((VECTORS / "rfc8613-appendix-c.json").read_text())["vectors"]
    keys = {
        value
        for vector in printed
        for name, value in vector.items()
        if name in ("master_secret", "sender_key", "recipient_key")
    }
    assert len(keys) == 7
    assert all(weakness_of(EUI64, bytes.fromhex(key)) for key in keys)
