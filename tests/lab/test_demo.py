"""The witness of the demonstration: what it finds wrong."""

import pytest

from jrc.lab.configuration import LabConfiguration, LabKey
from jrc.lab.demo import describe, find_faults, make_devices, short_id_of
from jrc.lab.network import JoinResult
from jrc.lab.pledge import Joined, Refused
from jrc.model import Secret

KEYS = (LabKey(1, 0, Secret(b"k" * 16)),)


def joined(number: int, short_id: bytes | None, keys: tuple[LabKey, ...] = KEYS) -> JoinResult:
    return JoinResult(bytes([number]), Joined(LabConfiguration(keys, short_id)), 0.1, 1)


def test_a_network_that_joined_has_no_faults() -> None:
    """Equal keys (RFC 9031 §8.4.3), a short identifier each (RFC 9031 §8.4.4.1)."""
    assert find_faults([joined(1, b"\0\1"), joined(2, b"\0\2")]) == []


@pytest.mark.parametrize(
    ("second", "fault"),
    [
        (joined(2, b"\0\1"), "02 has short identifier 0001 like 01"),
        (joined(2, None), "02 has no short identifier"),
        (joined(2, b"\0\2", ()), "02 has other link-layer keys than the first pledge, or none"),
        (
            joined(2, b"\0\2", (LabKey(1, 0, Secret(b"x" * 16)),)),
            "02 has other link-layer keys than the first pledge, or none",
        ),
        (
            joined(2, b"\0\2", (LabKey(2, 0, Secret(b"k" * 16)),)),
            "02 has other link-layer keys than the first pledge, or none",
        ),
        (JoinResult(b"\2", None, 9.0, 5), "02: no answer to 5 requests"),
        (JoinResult(b"\2", Refused("4.00", b"\x83"), 0.1, 1), "02: refused: 4.00 83"),
    ],
)
def test_f02_each_fault_is_named(second: JoinResult, fault: str) -> None:
    """A short identifier twice, other keys, none, or no join at all (RFC 9031 §8.4.4.1)."""
    assert find_faults([joined(1, b"\0\1"), second]) == [fault]


def test_results_are_described_without_keys() -> None:
    """No key in what is shown."""
    result = joined(1, b"\xaf\x93")
    assert (describe(result), short_id_of(result)) == ("joined", "af93")
    assert (b"k" * 16).hex() not in repr(result)
    assert short_id_of(JoinResult(b"\2", None, 9.0, 5)) == "-"


def test_a02_made_devices_have_a_key_each() -> None:
    """PSKs come from the random source, 16 bytes for each device (RFC 9031 §9)."""
    draws = iter(range(1, 100))
    devices = make_devices(3, lambda size: bytes([next(draws)]) * size)
    assert [device.identifier.hex() for device in devices] == [
        "0200000000000001",
        "0200000000000002",
        "0200000000000003",
    ]
    assert [device.psk.reveal() for device in devices] == [b"\1" * 16, b"\2" * 16, b"\3" * 16]


@pytest.mark.parametrize("count", [0, 10_001])
def test_a_lab_network_is_bounded(count: int) -> None:
    """The lab opens sockets and keeps results for each pledge."""
    with pytest.raises(ValueError, match="1 to 10000 pledges"):
        make_devices(count, bytes)
