"""Drives the client of Parameter Updates on an asyncio loop: one timer, for what is due first."""

import asyncio
from collections.abc import Sequence

from jrc.coap.endpoint import Datagram
from jrc.coap.updates import UpdateClient
from jrc.policy.pacing import Pace
from jrc.service.update_ports import PreparedUpdate


class UpdateDriver:
    """As ``UpdateSender``; the client's ``monotonic`` has to be ``loop.time``."""

    def __init__(self, client: UpdateClient, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._has_stopped = False

    @property
    def open(self) -> int:
        """As ``UpdateSender.open``."""
        return self._client.open

    def begin(self, *updates: PreparedUpdate) -> None:
        """As ``UpdateSender.begin``."""
        self._client.begin(*updates)
        self._set_timer()

    def cancel(self, node: int) -> None:
        """As ``UpdateSender.cancel``."""
        self._client.cancel(node)
        self._set_timer()

    def hold(self) -> None:
        """As ``UpdateClient.hold``."""
        self._client.hold()

    def go_on(self) -> None:
        """As ``UpdateClient.go_on``."""
        self._client.go_on()
        self._set_timer()

    def use(self, pace: Pace) -> None:
        """As ``UpdateClient.use``."""
        self._client.use(pace)
        self._set_timer()

    def receive(self, datagrams: Sequence[Datagram]) -> Sequence[Datagram]:
        """As ``UpdateClient.receive``."""
        left = self._client.receive(datagrams)
        if len(left) < len(datagrams):
            self._set_timer()
        return left

    def stop(self) -> None:
        """Send nothing more by itself; what is open gets no outcome."""
        self._has_stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_time(self) -> None:
        self._timer = None
        self._client.on_time(self._loop.time())
        self._set_timer()

    def _set_timer(self) -> None:
        """Wake up when the client wants to, at the latest."""
        due = self._client.next_due()
        if due is None or self._has_stopped:
            return
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._on_time)
