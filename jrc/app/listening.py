"""Addresses of ``coap.listen`` whose interface may come late, go and come back.

A socket on a link-local address is bound to the number of its interface, so it is made when the
interface comes and closed when it goes. Global addresses need none of this: see ``bind``.
"""

import asyncio
import socket
from collections.abc import Mapping, Sequence

import structlog

from jrc.coap.endpoint import Endpoint, bind, is_here
from jrc.config import Endpoint as Place
from jrc.errors import OperatorError
from jrc.policy.interface import Interface
from jrc.service.ports import InterfaceWatcher, WatchInterface

RETRY_S = 10.0
"""Before a port that another program holds is tried again."""

_log = structlog.get_logger("jrc")


class Listening:
    """As ``app.part.Part``; ``places`` are those of ``coap.listen`` that this process binds."""

    name = "listen"

    def __init__(self, places: Sequence[Place], endpoint: Endpoint, watch: WatchInterface) -> None:
        self._places = list(places)
        self._endpoint = endpoint
        self._scoped = [_Scoped(place, endpoint) for place in places if place.scope]
        self._watches: list[InterfaceWatcher] = [
            watch(each.place.scope, each.changed) for each in self._scoped
        ]

    async def start(self) -> None:
        """As ``Part.start``; an address that is not here yet is waited for."""
        for watch in self._watches:
            await watch.start()
        for scoped in self._scoped:
            scoped.is_started = True
        for place in self.waiting():
            _log.warning(
                "listen_address_waits",
                address=place,
                hint="no interface has it; it is listened on when it comes",
            )

    async def stop(self) -> None:
        """As ``Part.stop``; the endpoint closes the sockets."""
        for watch in self._watches:
            await watch.stop()
        for scoped in self._scoped:
            scoped.is_started = False

    def changed(self) -> None:
        """As ``Part.changed``; the settings stay as they are."""

    def waiting(self) -> list[str]:
        """The addresses that are on no interface now."""
        return [str(each) for each in self._places if not is_here(each.host, each.scope)]

    def status(self) -> Mapping[str, object]:
        """As ``Part.status``."""
        return {"waiting": self.waiting()}


class _Scoped:
    """A link-local address of ``coap.listen`` and its socket, if it has one."""

    def __init__(self, place: Place, endpoint: Endpoint) -> None:
        self.place = place
        self.is_started = False
        self._endpoint = endpoint
        self._index: int | None = None
        self._socket: socket.socket | None = None

    def changed(self, interface: Interface | None) -> None:
        """Called with the interface as it is now.

        Raises:
            OperatorError: at the start, the port is in use.
        """
        index = None if interface is None else interface.index
        if index == self._index:
            return
        self._index = index
        self._drop()
        if index is not None:
            self._listen()

    def _drop(self) -> None:
        if self._socket is not None:
            _log.info("listening_no_more", address=str(self.place), why="its interface has gone")
            self._endpoint.drop(self._socket)
            self._socket = None

    def _listen(self) -> None:
        try:
            self._socket = bind(self.place.host, self.place.port, self.place.scope)
        except OperatorError as error:
            if not self.is_started:
                raise
            _log.error("listening_failed", error=error.message, hint=error.hint)
            asyncio.get_running_loop().call_later(RETRY_S, self._try_again, self._index)
            return
        self._endpoint.add(self._socket)
        _log.info("listening", address=str(self.place))

    def _try_again(self, index: int | None) -> None:
        if self.is_started and self._socket is None and index == self._index:
            self._listen()
