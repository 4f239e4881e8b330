"""What Linux can do for a Join Proxy's neighbours, as far as the kernel tells (RFC 9031 §5.1, §6).

Facts alone: Linux keeps the neighbours of all interfaces in one table, so there is no cache of its
own for pledges; and whether link-layer keys can be set says nothing of what a radio sends.
"""

import errno
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LIMIT_FILE: Final = Path("/proc/sys/net/ipv6/neigh/default/gc_thresh3")
"""Linux, ip-sysctl.rst; only in the first network namespace."""
_FAMILY: Final = "nl802154"
_NEW_SEC_KEY: Final = 23
"""Linux, include/net/nl802154.h; there with CONFIG_IEEE802154_NL802154_EXPERIMENTAL alone."""


@dataclass(frozen=True, slots=True)
class NeighbourFacts:
    """``max_entries`` of the neighbour table for IPv6, None where it is not shown.

    ``configures_radios``: the kernel has IEEE 802.15.4 interfaces, or could have (its module is
    loaded); ``takes_keys``: it takes link-layer keys for them.
    """

    max_entries: int | None
    configures_radios: bool
    takes_keys: bool


async def probe(limit_file: Path = LIMIT_FILE) -> NeighbourFacts:
    """The facts, without any privilege.

    Raises:
        OSError: generic netlink can't be used.
    """
    operations = await _operations(_FAMILY)
    return NeighbourFacts(
        max_entries=_number(limit_file),
        configures_radios=operations is not None,
        takes_keys=operations is not None and _NEW_SEC_KEY in operations,
    )


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None


async def _operations(family: str) -> frozenset[int] | None:
    """The commands of a generic netlink family, None where the kernel has no such family."""
    # Imported where it is used, as in interfaces.py.
    from pyroute2.netlink import ctrlmsg
    from pyroute2.netlink.exceptions import NetlinkError
    from pyroute2.netlink.generic import AsyncGenericNetlinkSocket

    async with AsyncGenericNetlinkSocket() as kernel:
        # It would write to the log of whoever asks that the family is not there.
        kernel.module_err_level = "debug"
        await kernel.bind("nlctrl", ctrlmsg)
        try:
            found = await kernel.discovery(family)
        except NetlinkError as error:
            if error.code != errno.ENOENT:
                raise OSError(error.code, str(error.args[-1])) from None
            return None
    return frozenset(
        entry.get_attr("CTRL_ATTR_OP_ID") for entry in found.get_attr("CTRL_ATTR_OPS", [])
    )
