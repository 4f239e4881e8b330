"""A socket pair in place of a netlink socket: pyroute2 on one end, a played kernel on the other."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from pyroute2.netlink.generic import AsyncGenericNetlinkSocket


def hang_up(loop: asyncio.AbstractEventLoop, there: socket.socket) -> None:
    """Close the kernel's end, and read from it no more."""
    if there.fileno() >= 0:
        loop.remove_reader(there)
        there.close()


class Line(socket.socket):
    """An end of a socket pair that passes for a netlink socket."""

    def __init__(self, end: socket.socket) -> None:
        super().__init__(fileno=end.detach())
        self.setblocking(False)

    def bind(self, _address: Any) -> None:
        """There is one peer only."""

    def sendto(self, data: Any, *_address: Any) -> int:
        """To that peer."""
        return self.send(data)


class LineSocket(AsyncGenericNetlinkSocket):  # type: ignore[misc]
    """pyroute2's own socket over such a line; the other end closes with it."""

    def __init__(self, use_socket: Line, hung_up: Callable[[], None]) -> None:
        super().__init__(use_socket=use_socket)
        self._hung_up = hung_up
        self._line = use_socket

    def close(self, *arguments: Any) -> None:
        super().close(*arguments)
        self._line.close()
        self._hung_up()
