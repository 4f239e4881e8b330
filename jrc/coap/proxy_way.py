"""How a request came that this host's own Join Proxy has forwarded to the registrar beside it.

To the registrar it comes from the proxy; the person who reads an attempt wants to know the pledge.
"""

from jrc.coap.endpoint import Way
from jrc.coap.proxy import Peer


class ForwardedWay(Way):
    """The way to the proxy, as for any other request, and the pledge behind it."""

    _pledge: Peer
    _interface: str

    def forwarded_for(self) -> tuple[bytes, str]:
        """As ``service.ports.Way.forwarded_for``."""
        return self._pledge.address, self._interface


def forwarded(way: Way, pledge: Peer, interface: str) -> ForwardedWay:
    """The way of a request that a pledge sent to the proxy on an interface."""
    named: ForwardedWay = tuple.__new__(ForwardedWay, way)
    named._pledge, named._interface = pledge, interface
    return named
