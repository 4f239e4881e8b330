"""How many bad tokens have come from where, in bounded memory."""

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

MAX_REFUSED: Final = 10
"""Bad tokens from one address in ``WINDOW_S``; after that none from there is looked up."""
WINDOW_S: Final = 60.0
MAX_ADDRESSES: Final = 1024
"""Addresses that are remembered; the one that was longest without a bad token is forgotten."""
_IPV6_HOST_BITS: Final = 64


def source_of(host: str) -> str:
    """What counts as one address: an IPv4 address, or an IPv6 prefix of 64 bits (RFC 4291 §2.5.1).

    An IPv4 address that comes mapped is that address; what is none counts as itself.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if address.version == 4:
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address) >> _IPV6_HOST_BITS << _IPV6_HOST_BITS, 64)))


class Refusals:
    """Bad tokens by address; ``now_s`` is a monotonic clock."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._seen: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen)

    def are_many(self, source: str) -> bool:
        """Whether no more tokens from there are looked up for now."""
        since_s, count = self._seen.get(source, (0.0, 0))
        return count >= MAX_REFUSED and self._now_s() - since_s < WINDOW_S

    def note(self, source: str) -> bool:
        """One more; True where it is the one that fills the measure."""
        now_s = self._now_s()
        since_s, count = self._seen.pop(source, (now_s, 0))
        if now_s - since_s >= WINDOW_S:
            since_s, count = now_s, 0
        self._seen[source] = since_s, count + 1
        if len(self._seen) > MAX_ADDRESSES:
            self._seen.popitem(last=False)
        return count + 1 == MAX_REFUSED
