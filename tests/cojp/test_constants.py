"""The tables of RFC 9031 as they are printed."""

from jrc.cojp.constants import (
    ENDPOINT_MAX_TOKEN_BYTES,
    KEY_USAGES,
    MAX_CBOR_BYTES,
    Label,
)


def test_key_usages_are_those_of_table_6() -> None:
    """RFC 9031 §11.2: fifteen usages; each trait belongs to the values printed beside it."""
    lengths = [KEY_USAGES[usage].mic_length for usage in range(15)]
    assert len(KEY_USAGES) == 15
    assert lengths == [4, 8, 16] * 5
    assert {u for u, k in KEY_USAGES.items() if k.covers_beacons} == set(range(9))
    assert {u for u, k in KEY_USAGES.items() if k.covers_data} == {*range(6), *range(9, 15)}
    assert {u for u, k in KEY_USAGES.items() if k.encrypts} == {0, 1, 2, 12, 13, 14}
    assert KEY_USAGES[0].name == "6TiSCH-K1K2-ENC-MIC32"
    assert KEY_USAGES[8].name == "6TiSCH-K1-MIC128"
    assert KEY_USAGES[13].name == "6TiSCH-K2-ENC-MIC64"


def test_labels_are_those_of_table_5() -> None:
    """RFC 9031 §11.1: eight labels from 1 on."""
    assert [label.value for label in Label] == list(range(1, 9))


def test_limits_hold_what_the_rows_promise() -> None:
    """Rows C3 and C12: tokens of at least 1,024 bytes, objects of at most 1,024."""
    assert ENDPOINT_MAX_TOKEN_BYTES >= 1024
    assert MAX_CBOR_BYTES == 1024
