"""What joined nodes are told besides keys, and what of it differs for one of them (§8.4.2).

A Configuration can't say that something is no longer so: RFC 9031 §8.4.2 gives a missing join rate
and a missing JRC address a meaning of their own, which fits a Join Response, and leaves open
whether it holds for a Parameter Update. So each update of settings says both whole, and what a
limit is lifted to is a number that no radio reaches.
"""

from collections.abc import Collection, Sequence
from ipaddress import IPv6Address
from typing import Final, NamedTuple

from jrc.cojp.constants import Label, Role
from jrc.cojp.objects import Configuration, ShortIdentifier
from jrc.model import Admission, Network
from jrc.policy.admission import first_blocked

# Ours.
UNLIMITED_BYTES_PER_S: Final = 65_535
"""Stands for no limit in an update: at 250 kbit/s a radio carries half of it (§8.4.2)."""
MAX_NODE_BLOCKED: Final = 8
MAX_NODE_BLOCKED_BYTES: Final = 72
"""Of the blocklist that 6LNs are told: eight EUI-64 with their CBOR heads. With all else that an
update of settings says it takes two frames of IEEE 802.15.4."""


class Settings(NamedTuple):
    """What a network's nodes are told besides keys; ``number`` counts its changes.

    ``blocked`` is the ``bounded_blocklist`` of a 6LBR, the newest first; 6LNs hear its beginning.
    """

    number: int
    join_rate_bytes_per_s: int | None
    jrc_address: IPv6Address | None
    blocked: tuple[bytes, ...]

    def says_as(self, other: "Settings") -> bool:
        """Whether both tell the same, whatever their numbers."""
        return self[1:] == other[1:]

    def blocked_for(self, role: int) -> tuple[bytes, ...]:
        """The part of the blocklist that a node of this role is told."""
        if role == Role.LBR:
            return self.blocked
        return first_blocked(self.blocked, MAX_NODE_BLOCKED, MAX_NODE_BLOCKED_BYTES)


class Held(NamedTuple):
    """What a node may have of the network's settings.

    ``settings`` are all that it may have been told, None where that is not known. ``throttle`` is
    a join rate of its own that may have reached it. Where it ``joined_only``, it was told what a
    Join Response says, and no update has come after that.
    """

    settings: Sequence[Settings] | None
    throttle: int | None
    joined_only: bool


class Wanted(NamedTuple):
    """What a node is to have: the network's settings, a ``throttle`` of its own, an identifier.

    ``short_identifier`` is None where its lease needs no renewal.
    """

    settings: Settings
    throttle: int | None
    role: int
    short_identifier: ShortIdentifier | None = None

    @property
    def join_rate_bytes_per_s(self) -> int | None:
        """The lowest of the join rates that hold for it, None for no limit."""
        return lowest(self.settings.join_rate_bytes_per_s, self.throttle)


def lowest(*rates: int | None) -> int | None:
    """The lowest of some join rates in bytes per second; None is no limit."""
    return min((rate for rate in rates if rate is not None), default=None)


def effective_join_rate(network: Network, *, window_is_open: bool) -> int | None:
    """The join rate that a network's nodes are to have now, bytes per second; None is no limit."""
    is_window_network = network.admission is Admission.WINDOW
    if network.quiet_outside_windows and is_window_network and not window_is_open:
        return 0
    return lowest(network.join_rate_bytes_per_s, network.throttle_bytes_per_s)


def place_number(number: int, *, says_all: bool) -> int:
    """What is noted of a node that joins while ``number`` holds.

    A Join Response that does not say all leaves a negative one, so that the node is told the rest.
    """
    return number if says_all else -1 - number


def number_of(place_number: int) -> int:
    """The number of the settings that a place stands for, see ``place_number``."""
    return place_number if place_number >= 0 else -1 - place_number


def difference(wanted: Wanted, held: Held, labels: Collection[Label]) -> Configuration | None:
    """The update that brings a node from what it may have to what it is to have.

    ``labels`` are those that it can take. None where it has all of it. RFC 9031 §8.4.2
    """
    rate = _rate(wanted, held) if Label.JOIN_RATE in labels else None
    address = wanted.settings.jrc_address if Label.JRC_ADDRESS in labels else None
    blocked = _blocked(wanted, held) if Label.BLOCKLIST in labels else None
    short_identifier = wanted.short_identifier if Label.SHORT_IDENTIFIER in labels else None
    differs = (
        short_identifier is not None,
        blocked is not None,
        address is not None and _address_differs(wanted, held),
        rate is not None and _rate_differs(wanted, held),
    )
    if not any(differs):
        return None
    return Configuration(
        short_identifier=short_identifier,
        jrc_address=None if address is None else address.packed,
        blocklist=blocked,
        join_rate_bytes_per_s=rate,
    )


def labels_of(config: Configuration) -> frozenset[Label]:
    """The labels that a Configuration has."""
    had = {
        Label.LINK_LAYER_KEY_SET: config.keys or None,
        Label.SHORT_IDENTIFIER: config.short_identifier,
        Label.JRC_ADDRESS: config.jrc_address,
        Label.BLOCKLIST: config.blocklist,
        Label.JOIN_RATE: config.join_rate_bytes_per_s,
    }
    return frozenset(label for label, value in had.items() if value is not None)


def _rate(wanted: Wanted, held: Held) -> int | None:
    rate = wanted.join_rate_bytes_per_s
    if rate is not None:
        return rate
    had = [held.throttle] if held.settings is None else [
        held.throttle, *(each.join_rate_bytes_per_s for each in held.settings)
    ]  # fmt: skip
    is_limited = held.settings is None or any(each is not None for each in had)
    return UNLIMITED_BYTES_PER_S if is_limited else None


def _rate_differs(wanted: Wanted, held: Held) -> bool:
    if held.settings is None or held.throttle != wanted.throttle:
        return True
    if held.joined_only and wanted.throttle is not None:
        return True
    rate = wanted.settings.join_rate_bytes_per_s
    return any(each.join_rate_bytes_per_s != rate for each in held.settings)


def _address_differs(wanted: Wanted, held: Held) -> bool:
    if held.settings is None:
        return True
    return any(each.jrc_address != wanted.settings.jrc_address for each in held.settings)


def _blocked(wanted: Wanted, held: Held) -> tuple[bytes, ...] | None:
    """The list, None where the node has it; a later one replaces it whole."""
    blocked = wanted.settings.blocked_for(wanted.role)
    if held.settings is None:
        return blocked
    had = [each.blocked_for(wanted.role) for each in held.settings]
    if held.joined_only and wanted.role != Role.LBR:
        # Its Join Response had none.
        had[0] = ()
    return blocked if any(each != blocked for each in had) else None
