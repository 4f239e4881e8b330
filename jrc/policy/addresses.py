"""A node's IPv6 addresses from the prefix and what the registrar knows (RFC 9031 §8.2.1)."""

from collections.abc import Iterable
from ipaddress import IPv6Address, IPv6Network

from jrc.errors import ExitCode, OperatorError
from jrc.model import Network, PledgeId, Profile
from jrc.policy.profiles import TRAITS

LINK_LOCAL_PREFIX = IPv6Network("fe80::/64")
"""RFC 4291 §2.5.6."""

EUI64_BYTES = 8
UNIVERSAL_LOCAL_BIT = 1 << 57
"""Bit 6 of the interface identifier's first byte (RFC 4291 App. A)."""

SHORT_ADDRESS_IID = 0x0000_00FF_FE00_0000
"""The interface identifier 0000:00ff:fe00:XXXX of a short address (RFC 6282 §3.2.2)."""


def interface_identifier(
    identifier: PledgeId, short_id: int | None, profile: Profile = Profile.RFC9031
) -> int | None:
    """The low 64 bits of a node's addresses, ``None`` where they can't be known.

    An identifier of 8 bytes is an EUI-64, and counts with its universal/local bit inverted
    (RFC 4944 §6), but for firmware that forgets to. A node with any other identifier has its
    short address alone to be reached by.
    """
    if len(identifier.value) == EUI64_BYTES:
        inverted = TRAITS[profile].inverts_universal_bit
        return int.from_bytes(identifier.value) ^ (UNIVERSAL_LOCAL_BIT if inverted else 0)
    return None if short_id is None else SHORT_ADDRESS_IID | short_id


def global_address(
    prefix: IPv6Network,
    identifier: PledgeId,
    short_id: int | None,
    profile: Profile = Profile.RFC9031,
) -> IPv6Address | None:
    """Where Parameter Updates for a joined node go, ``None`` without EUI-64 and short identifier.

    Raises:
        ValueError: the prefix does not have 64 bits. RFC 9031 §8.2.1
    """
    if prefix.prefixlen != 64:
        raise ValueError(f"addresses are formed from a prefix of 64 bits, and {prefix} is none")
    iid = interface_identifier(identifier, short_id, profile)
    return None if iid is None else _at(prefix, iid)


def prefix_holder(new: Network, others: Iterable[Network]) -> Network | None:
    """The network of another key domain that has the prefix of ``new`` already.

    Short identifiers are unique in a key domain alone, and with one prefix two nodes could form
    one address of them. RFC 9031 §8.2.1, RFC 6282 §3.2.2
    """
    for other in others:
        apart = other.id != new.id and other.domain_id != new.domain_id
        if apart and other.prefix == new.prefix:
            return other
    return None


def check_prefix_sharing(new: Network, others: Iterable[Network]) -> None:
    """Refuses a network whose prefix one of another key domain has.

    Raises:
        OperatorError: naming both networks.
    """
    other = prefix_holder(new, others)
    if other is not None:
        raise OperatorError(
            f"prefix: network {other.name} has {new.prefix}, and not the key domain of {new.name}:"
            " nodes of both could get the same address",
            f"give {new.name} a prefix of its own",
            exit_code=ExitCode.REFUSED,
        )


def short_address(prefix: IPv6Network, short_id: int) -> IPv6Address:
    """Where a node is reached by its short address, whatever its identifier (RFC 6282 §3.2.2)."""
    return _at(prefix, SHORT_ADDRESS_IID | short_id)


def _at(prefix: IPv6Network, iid: int) -> IPv6Address:
    """As ``prefix[iid]``, which looks at the network's bounds each time."""
    return IPv6Address(int(prefix.network_address) | iid)


def link_local_address(
    identifier: PledgeId, short_id: int | None, profile: Profile = Profile.RFC9031
) -> IPv6Address | None:
    """The node's address on its own link, under the same conditions (RFC 4944 §7)."""
    return global_address(LINK_LOCAL_PREFIX, identifier, short_id, profile)
