"""Where pledges reach the Join Proxy: the link-local addresses of its interface."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address

import structlog

from jrc.coap.endpoint import COAP_PORT
from jrc.coap.proxy_endpoint import open_pledge_socket
from jrc.policy.interface import Interface, choose_link_local

_log = structlog.get_logger("jrc")


@dataclass(frozen=True, slots=True)
class Place:
    """Addresses of the interface with this number; ``address`` is the usual one."""

    address: IPv6Address
    interface: int
    others: tuple[IPv6Address, ...]

    @classmethod
    def on(cls, interface: Interface | None, current: IPv6Address | None) -> "Place | None":
        """On an interface; the current address stays while it can. None where there is none."""
        address = None if interface is None else choose_link_local(interface, current)
        if interface is None or address is None:
            return None
        others = tuple(other for other in interface.link_locals if other != address)
        return cls(address, interface.index, others)

    def sockets(self) -> list[socket.socket]:
        """One for each address, that of the usual one first.

        Raises:
            OSError: the usual one can't be bound.
        """
        return [self._opened(self.address), *self._further()]

    def _further(self) -> Iterator[socket.socket]:
        for address in self.others:
            try:
                yield self._opened(address)
            except OSError as error:
                # Another program's: pledges are still served at the usual one.
                text = error.strerror or str(error)
                _log.warning("proxy_listens_not_at", address=str(address), error=text)

    def _opened(self, address: IPv6Address) -> socket.socket:
        return open_pledge_socket(str(address), COAP_PORT, self.interface)
