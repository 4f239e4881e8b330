"""Which settings a network can have (RFC 9031 §8.2.1, §8.4)."""

import re
from collections.abc import Sequence
from ipaddress import IPv6Network

from jrc.errors import ExitCode, OperatorError
from jrc.model import Admission, Network
from jrc.policy.profiles import check_network_profile

# Ours.
MAX_IDENTIFIER_BYTES = 64
"""A network identifier has to fit a beacon (RFC 9032) and a Join Request of one frame."""
MAX_IDENTIFIERS = 16
MAX_LEASE_HOURS = 876_000
"""A hundred years."""
MAX_JOIN_RATE_BYTES_PER_S = 2**32 - 1

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_INTERFACE = re.compile(r"[^\s/%:]{1,15}")
"""What Linux takes for a name (IFNAMSIZ, dev_valid_name)."""
_PREFIX_BITS = 64


def is_name(text: str) -> bool:
    """Whether a network or a key domain can be called so."""
    return _NAME.fullmatch(text) is not None


def check_settings(network: Network) -> None:
    """Refuse settings that no network can have.

    Raises:
        OperatorError: naming the first that is wrong.
    """
    _check_identifiers(network.identifiers)
    _check_prefix(network.prefix)
    check_network_profile(network.profile)
    _check_interface("prefix-from", network.prefix_from)
    _check_interface("jrc-address-from", network.jrc_address_from)
    _check_limit("lease-hours", network.lease_hours, 1, MAX_LEASE_HOURS)
    _check_limit("join-rate", network.join_rate_bytes_per_s, 0, MAX_JOIN_RATE_BYTES_PER_S)
    _check_limit("join-rate", network.throttle_bytes_per_s, 0, MAX_JOIN_RATE_BYTES_PER_S)
    if network.quiet_outside_windows and network.admission is not Admission.WINDOW:
        raise refused(
            f"quiet-outside-windows: network {network.name} admits by {network.admission.value},"
            " and has no windows",
            "give --admission window as well, or --no-quiet-outside-windows",
        )
    address = network.jrc_address
    if address is not None and (
        address.is_multicast or address.is_unspecified or address.is_link_local
    ):
        raise refused(
            f"jrc-address: {address} does not reach a registrar from another link",
            "give a global or unique local address, or leave it out where the 6LBR is the JRC",
        )


def _check_identifiers(identifiers: Sequence[bytes]) -> None:
    if not 1 <= len(identifiers) <= MAX_IDENTIFIERS:
        raise refused(f"network-id: a network has 1 to {MAX_IDENTIFIERS} identifiers")
    for value in identifiers:
        if not 1 <= len(value) <= MAX_IDENTIFIER_BYTES:
            raise refused(
                f"network-id: an identifier has 1 to {MAX_IDENTIFIER_BYTES} bytes, not {len(value)}"
            )
    if len(set(identifiers)) != len(identifiers):
        raise refused("network-id: an identifier is given twice")


def _check_prefix(prefix: IPv6Network) -> None:
    address = prefix.network_address
    if prefix.prefixlen != _PREFIX_BITS or address.is_multicast or address.is_link_local:
        raise refused(
            f"prefix: {prefix} is no /64 of global or unique local addresses",
            "write it as 2001:db8:0:1::/64",
        )


def _check_interface(setting: str, name: str | None) -> None:
    if name is not None and not _INTERFACE.fullmatch(name):
        raise refused(
            f"{setting}: {name!r} can't be an interface's name",
            "`ip link` lists the interfaces of this host",
        )


def _check_limit(name: str, value: int | None, least: int, most: int) -> None:
    if value is not None and not least <= value <= most:
        raise refused(f"{name}: {value} does not lie in {least} to {most}")


def refused(message: str, hint: str = "") -> OperatorError:
    """An error that says what policy forbids."""
    return OperatorError(message, hint, exit_code=ExitCode.REFUSED)
