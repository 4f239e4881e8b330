"""What an interface of this host gives to a network: its prefix, and the registrar's address."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from ipaddress import IPv6Address, IPv6Network
from math import inf

from jrc.model import Network

PREFIX_BITS = 64
"""Node addresses are formed from a prefix of this length (RFC 4944 §6)."""


class InterfaceKind(StrEnum):
    """What a Linux interface is made of."""

    WPAN = "wpan"
    LOWPAN = "lowpan"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class InterfaceAddress:
    """A global or unique local address that can be used now.

    ``deprecated``: nothing new is to begin with it; ``temporary``: it is there for privacy and goes
    within days (RFC 8981). ``valid_s``, None for ever, is no part of what makes two equal: it runs.
    """

    address: IPv6Address
    prefix_bits: int
    deprecated: bool = False
    temporary: bool = False
    valid_s: int | None = field(default=None, compare=False)

    @property
    def prefix(self) -> IPv6Network:
        """The network it is in."""
        return IPv6Network((self.address, self.prefix_bits), strict=False)


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface at one moment.

    ``link_locals`` (lowest first) and ``addresses`` hold usable ones alone: no duplicate was found,
    and whether there is one is no longer being found out (RFC 4862 §5.4). ``link_local`` is the one
    of the hardware address where that is there, else the lowest. ``eui64`` is the 8-byte hardware
    address of an IEEE 802.15.4 or 6LoWPAN interface.
    """

    name: str
    index: int
    is_up: bool
    link_local: IPv6Address | None = None
    addresses: tuple[InterfaceAddress, ...] = ()
    eui64: bytes | None = None
    kind: InterfaceKind = InterfaceKind.OTHER
    link_locals: tuple[IPv6Address, ...] = ()

    @property
    def prefixes(self) -> tuple[IPv6Network, ...]:
        """The /64 prefixes of its addresses, each once."""
        found = [entry.prefix for entry in self.addresses if entry.prefix_bits == PREFIX_BITS]
        return tuple(dict.fromkeys(found))

    def has(self, address: IPv6Address) -> bool:
        """Whether an address is its own."""
        return address in (self.link_local, *self.link_locals) or any(
            address == entry.address for entry in self.addresses
        )


Seen = Mapping[str, Interface | None]
"""Interfaces by name; None stands for one that is not there."""


def choose_link_local(interface: Interface, current: IPv6Address | None) -> IPv6Address | None:
    """The link-local address to be reached at; the ``current`` one stays while it is usable."""
    return current if current in interface.link_locals else interface.link_local


def choose_prefix(interface: Interface | None, current: IPv6Network | None) -> IPv6Network | None:
    """The prefix that a network takes from an interface, None where that has none.

    The ``current`` one stays while it can, since a new one makes every node join again. Else one
    that is not deprecated goes before one that is, a lasting one before a temporary one, then the
    longest lifetime, then the lowest address.
    """
    found = [] if interface is None else interface.addresses
    best = _best(
        [entry for entry in found if entry.prefix_bits == PREFIX_BITS],
        lambda entry: entry.prefix != current,
    )
    return None if best is None else best.prefix


def choose_address(
    interface: Interface | None, current: IPv6Address | None, prefix: IPv6Network
) -> IPv6Address | None:
    """The registrar's address on an interface, chosen alike; one in ``prefix`` goes first."""
    best = _best(
        [] if interface is None else interface.addresses,
        lambda entry: (entry.address not in prefix, entry.address != current),
    )
    return None if best is None else best.address


def _best(
    entries: Iterable[InterfaceAddress], avoided: Callable[[InterfaceAddress], object]
) -> InterfaceAddress | None:
    def rank(entry: InterfaceAddress) -> tuple[object, ...]:
        lifetime_s = inf if entry.valid_s is None else entry.valid_s
        return (
            entry.deprecated, avoided(entry), entry.temporary, -lifetime_s, entry.address
        )  # fmt: skip

    return min(entries, key=rank, default=None)


def follow(network: Network, seen: Seen) -> Network:
    """The network with what it takes from the interfaces in ``seen``.

    A prefix stays when its interface has none: nodes go on using it. An address of the registrar
    that is on no interface any more goes, since nobody would reach it there.
    """
    prefix, address = network.prefix, network.jrc_address
    if network.prefix_from is not None and network.prefix_from in seen:
        prefix = choose_prefix(seen[network.prefix_from], prefix) or prefix
    if network.jrc_address_from is not None and network.jrc_address_from in seen:
        address = choose_address(seen[network.jrc_address_from], address, prefix)
    return replace(network, prefix=prefix, jrc_address=address)
