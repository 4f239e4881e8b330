"""One Parameter Update between its beginning and its end."""

import socket

from jrc.coap.update_message import Asked
from jrc.service.update_ports import PreparedUpdate

Peer = tuple[str, int]
"""Address, as the kernel writes that of whoever answers, and port."""


class UpdateRun:
    """Where an update stands; ``asked`` is the message of it that may be answered now.

    ``is_ready`` to be protected and sent when the pace allows; ``has_turn`` says that it counts as
    one of its network's exchanges.
    """

    __slots__ = (
        "asked", "echo", "echoes", "has_ended", "has_turn", "hint", "is_ready", "numbers", "peer",
        "transmissions", "update",
    )  # fmt: skip

    def __init__(self, update: PreparedUpdate, port: int) -> None:
        self.update = update
        self.peer: Peer = (socket.inet_ntop(socket.AF_INET6, update.address.packed), port)
        self.numbers = update.numbers
        self.asked: Asked | None = None
        self.echo: bytes | None = None
        self.echoes = 0
        self.hint: str | None = None
        self.transmissions = 0
        self.is_ready = False
        self.has_turn = False
        self.has_ended = False
