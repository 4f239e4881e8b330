"""Networks that take their prefix or the registrar's address from an interface of this host."""

from collections.abc import Mapping
from ipaddress import IPv6Network
from types import MappingProxyType

from jrc.errors import ExitCode, OperatorError
from jrc.policy.interface import Seen, choose_prefix
from jrc.service.network_settings import refused

NOTHING_SEEN: Seen = MappingProxyType({})


def first_prefix(interface: str | None, seen: Seen) -> IPv6Network:
    """The prefix of a new network that is given none.

    Raises:
        OperatorError: the interface has none either.
    """
    if interface is None:
        raise OperatorError(
            "prefix: missing",
            "give --prefix PREFIX/64, or --prefix-from INTERFACE",
            exit_code=ExitCode.USAGE,
        )
    found = seen.get(interface)
    prefix = choose_prefix(found, None)
    if prefix is None:
        what = "there is no interface of this name" if found is None else "it has no global /64"
        raise refused(
            f"prefix-from: {interface} gives no prefix yet ({what})",
            "bring it up first, or give --prefix PREFIX/64 too, which serves until it has one",
        )
    return prefix


def unfollowed(given: Mapping[str, object]) -> dict[str, None]:
    """The interfaces that a change makes a network follow no more, by the name of the setting."""
    return {f"{name}_from": None for name in ("prefix", "jrc_address") if name in given}
