"""A lab network of made-up pledges, and what has to be true after all of them have joined."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from jrc.lab.configuration import LabConfiguration
from jrc.lab.network import Address, JoinResult, Timing, join_all, join_proxy
from jrc.lab.node import LBR
from jrc.lab.pledge import Joined, Refused, SimulatedPledge
from jrc.model import Secret

NETWORK_NAME: Final = "lab"
NETWORK_ID: Final = bytes.fromhex("cafe")
"""As in RFC 9031 App. A."""
PREFIX: Final = "fd00:6:715c::/64"
"""Unique local (RFC 4193); the lab has no node that would use it."""
PSK_BYTES: Final = 16
EUI64_PREFIX: Final = bytes.fromhex("0200000000")
"""Locally administered, so that no device has one of these identifiers (IEEE 802)."""
MAX_PLEDGES: Final = 10_000
TIMING: Final = Timing().scaled(0.1)
"""Loopback has no slots to wait for: a tenth of the seconds of RFC 9031 §7.2."""

INTERVAL_S: Final = 0.05
LONGEST_START_S: Final = 2.0
"""Pledges begin one after the other, so that one can watch, but the last no later than this."""


@dataclass(frozen=True, slots=True)
class LabDevice:
    """What a registrar has to know of a device before it joins."""

    identifier: bytes
    psk: Secret
    role: int = 0

    def pledge(self) -> SimulatedPledge:
        """The device itself."""
        return SimulatedPledge(self.identifier, self.psk, NETWORK_ID, self.role)


def make_devices(count: int, random: Callable[[int], bytes]) -> list[LabDevice]:
    """Devices with EUI-64 of the lab and keys drawn from ``random``.

    Raises:
        ValueError: ``count`` is out of bounds.
    """
    if not 1 <= count <= MAX_PLEDGES:
        raise ValueError(f"a lab network has 1 to {MAX_PLEDGES} pledges, not {count}")
    return [
        LabDevice(EUI64_PREFIX + number.to_bytes(3), Secret(random(PSK_BYTES)))
        for number in range(1, count + 1)
    ]


async def join_devices(
    devices: Sequence[LabDevice], jrc: Address, on_result: Callable[[JoinResult], None]
) -> list[JoinResult]:
    """All devices join the lab's network at a registrar, through a proxy on loopback.

    Raises:
        OSError: an address can't be bound or reached.
    """
    return await join_pledges([device.pledge() for device in devices], jrc, on_result)


async def join_pledges(
    pledges: Sequence[SimulatedPledge], jrc: Address, on_result: Callable[[JoinResult], None]
) -> list[JoinResult]:
    """All pledges join at a registrar through a proxy on loopback, 6LBRs before the others.

    The others would not hear of a network without them (RFC 9031 §4.1).

    Raises:
        OSError: an address can't be bound or reached.
    """
    interval_s = min(INTERVAL_S, LONGEST_START_S / len(pledges))
    results: list[JoinResult] = []
    async with join_proxy(jrc) as proxy:
        for is_first in (True, False):
            some = [pledge for pledge in pledges if (pledge.role == LBR) is is_first]
            results += await join_all(
                some, proxy.address, TIMING, interval_s=interval_s, on_result=on_result
            )
    return results


def describe(result: JoinResult) -> str:
    """How an attempt ended, in a few words."""
    match result.outcome:
        case Joined():
            return "joined"
        case Refused(code, payload):
            return f"refused: {code} {payload.hex()}".rstrip()
        case _:
            return f"no answer to {result.transmissions} requests"


def short_id_of(result: JoinResult) -> str:
    """The short address as hex, or a dash."""
    configuration = result.outcome.configuration if isinstance(result.outcome, Joined) else None
    short_id = configuration.short_id if configuration else None
    return "-" if short_id is None else short_id.hex()


def find_faults(results: Iterable[JoinResult]) -> list[str]:
    """What is wrong with the results of a network, as sentences; empty where all is well.

    Everybody has joined, with the same link-layer keys (RFC 9031 §8.4.3), and no short identifier
    was given twice (RFC 9031 §8.4.4.1). The first may be a 6LBR that has joined again: its keys are
    new, and the others get those before besides (RFC 9031 §8.4.3.2).
    """
    faults = []
    holders: dict[bytes, bytes] = {}
    first: LabConfiguration | None = None
    for result in results:
        name = result.pledge_id.hex()
        if not isinstance(result.outcome, Joined):
            faults.append(f"{name}: {describe(result)}")
            continue
        given = result.outcome.configuration
        first = first or given
        if not given.keys or any(key not in given.keys for key in first.keys):
            faults.append(f"{name} has other link-layer keys than the first pledge, or none")
        if given.short_id is None:
            faults.append(f"{name} has no short identifier")
        elif holders.setdefault(given.short_id, result.pledge_id) != result.pledge_id:
            holder = holders[given.short_id].hex()
            faults.append(f"{name} has short identifier {given.short_id.hex()} like {holder}")
    return faults
