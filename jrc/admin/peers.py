"""Who is at the other end of the Unix socket, as the audit log names them."""

import os
import pwd
import socket
import struct
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

_UCRED = struct.Struct("iII")
"""struct ucred of unix(7): process, user, group."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The credentials of a process when it connected."""

    pid: int
    uid: int
    gid: int

    @property
    def actor(self) -> str:
        """The name in the audit log: ``uid=1000(alice)``, or ``uid=1000`` for an unnamed user."""
        try:
            return f"uid={self.uid}({pwd.getpwuid(self.uid).pw_name[:64]})"
        except KeyError:
            return f"uid={self.uid}"


def peer_of(connection: socket.socket) -> Peer:
    """What the kernel says about the process that connected (SO_PEERCRED, unix(7))."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    return Peer(*_UCRED.unpack(raw))


def this_process() -> Peer:
    """The credentials of this process: for a command that works without a daemon."""
    return Peer(os.getpid(), os.geteuid(), os.getegid())


def as_this_process(app: ASGIApp) -> ASGIApp:
    """``app`` for requests made in this process, which have no socket to read a peer from."""

    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["peer"] = this_process()
        await app(scope, receive, send)

    return called


def actor_of(scope: Scope) -> str:
    """The actor of the request in ``scope``.

    Raises:
        KeyError: the request came over a socket that tells no credentials.
    """
    peer: Peer = scope["state"]["peer"]
    return peer.actor
