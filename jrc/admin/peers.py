"""Who makes a request, as the audit log names them, and what they may do."""

import grp
import os
import pwd
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from jrc.admin.problems import problem
from jrc.admin.sudo import SUDO_HEADER, believed, sudo_user
from jrc.errors import ExitCode, OperatorError
from jrc.policy.scopes import EVERYTHING, may
from jrc.policy.scopes import Scope as Held

_UCRED = struct.Struct("iII")
"""struct ucred of unix(7): process, user, group."""
_SO_PEERGROUPS: Final = 59
"""Of Linux's asm-generic/socket.h, which Python does not name."""
_MOST_GROUPS_BYTES: Final = 1024
_GROUP: Final = struct.Struct("I")
_FORBIDDEN: Final = 403


class Caller(Protocol):
    """Who makes a request."""

    @property
    def actor(self) -> str:
        """The name in the audit log."""
        ...

    @property
    def scopes(self) -> frozenset[Held]:
        """What they hold."""
        ...


@dataclass(frozen=True, slots=True)
class Peer:
    """The credentials of a process when it connected, and what its user may do."""

    pid: int
    uid: int
    gid: int
    groups: frozenset[int] = frozenset()
    scopes: frozenset[Held] = EVERYTHING
    sudo_by: str = ""

    @property
    def actor(self) -> str:
        """The name in the audit log: ``uid=1000(alice)``, or ``uid=1000`` for an unnamed user.

        ``uid=0(root, sudo by alice)`` where root has said so, whom nothing else keeps from lying.
        """
        by = f", sudo by {self.sudo_by}" if self.sudo_by else ""
        try:
            return f"uid={self.uid}({pwd.getpwuid(self.uid).pw_name[:64]}{by})"
        except KeyError:
            return f"uid={self.uid}"


def peer_of(connection: socket.socket) -> Peer:
    """What the kernel says about the process that connected (SO_PEERCRED, unix(7))."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    found = Peer(*_UCRED.unpack(raw))
    return replace(found, groups=frozenset({found.gid, *_groups_of(connection, found)}))


def _groups_of(connection: socket.socket, peer: Peer) -> frozenset[int]:
    """The process's other groups; those of its user where it has more than can be asked for."""
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MOST_GROUPS_BYTES)
        return frozenset(number for (number,) in _GROUP.iter_unpack(raw))
    except OSError:
        pass
    try:
        return frozenset(os.getgrouplist(pwd.getpwuid(peer.uid).pw_name, peer.gid))
    except (KeyError, OSError):
        return frozenset()


def this_process() -> Peer:
    """The credentials of this process: for a command that works without a daemon."""
    return Peer(os.getpid(), os.geteuid(), os.getegid(), sudo_by=sudo_user())


def as_this_process(app: ASGIApp) -> ASGIApp:
    """``app`` for requests made in this process, which have no socket to read a peer from."""

    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["peer"] = this_process()
        await app(scope, receive, send)

    return called


def caller_of(scope: Scope) -> Caller:
    """Who makes the request in ``scope``.

    Raises:
        KeyError: it came over a socket that tells no credentials.
    """
    caller: Caller = scope["state"]["peer"]
    if isinstance(caller, Peer) and caller.uid == 0:
        said = dict(scope.get("headers", ())).get(SUDO_HEADER.encode())
        if said is not None:
            return replace(caller, sudo_by=believed(caller.uid, said.decode("latin-1")))
    return caller


def actor_of(scope: Scope) -> str:
    """The actor of the request in ``scope``.

    Raises:
        KeyError: it came over a socket that tells no credentials.
    """
    return caller_of(scope).actor


class Rights:
    """What users of the admin socket hold; ``groups``: what members of each do, None: everything.

    Root and the daemon's own user hold everything: they can read its key.
    """

    def __init__(self, groups: Mapping[int, frozenset[Held]] | None = None) -> None:
        self.groups = groups

    def of(self, peer: Peer) -> frozenset[Held]:
        """What a process holds; nothing where it is in none of the groups."""
        if self.groups is None or peer.uid in (0, os.geteuid()):
            return EVERYTHING
        held = (scopes for group, scopes in self.groups.items() if group in peer.groups)
        return frozenset[Held]().union(*held)


def group_number(key: str, name: str) -> int:
    """The number of a group of this host; ``key`` is what names it in the config file.

    Raises:
        OperatorError: there is none.
    """
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise OperatorError(
            f"{key}: there is no group {name}", f"run: groupadd --system {name}"
        ) from None


def with_rights(app: ASGIApp, rights: Rights) -> ASGIApp:
    """``app`` for peers that hold something; what is beside the API needs ``read``."""

    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        peer: Peer = scope["state"]["peer"]
        held = rights.of(peer)
        is_api = scope["path"].startswith("/v1/")
        if not held or not (is_api or may(held, Held.READ)):
            await _refused(peer)(scope, receive, send)
            return
        scope["state"]["peer"] = replace(peer, scopes=held)
        await app(scope, receive, send)

    return called


def _refused(peer: Peer) -> ASGIApp:
    return problem(
        f"{peer.actor} is in none of the groups that may do this",
        "see admin.read_groups and the like in the config file; who is put into a group has to log"
        " in anew",
        status=_FORBIDDEN,
        exit_code=ExitCode.REFUSED,
    )
