"""The helper that sets the link-layer keys of one radio, so that the registrar needs no privilege.

It has CAP_NET_ADMIN and one interface; it keeps nothing, and talks to the registrar's user and root
alone. One connection at a time: a second one waits in the kernel's queue.
"""

import asyncio
import pwd
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jrc.errors import OperatorError
from jrc.model import Secret
from jrc.net.framecounter import Seen
from jrc.net.helpertalk import (
    LENGTH,
    LONGEST_RUN_S,
    NOTED_WITHIN_S,
    Answer,
    Message,
    Question,
    TalkError,
    Wish,
    length_of,
    packed,
    question_of,
    unpacked,
)
from jrc.net.linuxinstaller import RadioKeys, check

if TYPE_CHECKING:
    from jrc.net.ieee802154 import OpenSocket

ASKED_WITHIN_S: Final = 10.0
"""From a connection to the end of its question."""
DYNAMIC_USERS: Final = Path("/run/systemd/dynamic-uid")
"""Where systemd has a link from the name of each DynamicUser= to its number."""
_UCRED: Final = struct.Struct("iII")
"""struct ucred of unix(7): process, user, group."""


class _Line:
    """One connection, each of whose messages has so long to come or to go."""

    def __init__(self, connection: socket.socket, within_s: float) -> None:
        self._connection = connection
        self._ends_s = time.monotonic() + within_s

    def extend(self, within_s: float) -> None:
        """From now on."""
        self._ends_s = time.monotonic() + within_s

    def send(self, message: Message) -> None:
        """Raises: OSError."""
        self._patience()
        self._connection.sendall(packed(message))

    def receive(self) -> Message:
        """The next message.

        Raises:
            OSError: it does not come in time.
            TalkError: it is none.
        """
        return unpacked(self._read(length_of(self._read(LENGTH.size))))

    def _read(self, count: int) -> bytes:
        found = bytearray()
        while len(found) < count:
            self._patience()
            piece = self._connection.recv(min(count - len(found), 1 << 16))
            if not piece:
                raise TalkError("it has hung up")
            found += piece
        return bytes(found)

    def _patience(self) -> None:
        self._connection.settimeout(max(0.001, self._ends_s - time.monotonic()))


class _Relayed:
    """As ``linuxinstaller.CounterMemory``: the registrar's, asked over its connection."""

    def __init__(self) -> None:
        self.line: _Line | None = None
        self.seen: Seen | None = None

    def read(self) -> Seen | None:
        """What the question said."""
        return self.seen

    def write(self, seen: Seen) -> None:
        """Returns once it is on the registrar's disk.

        Raises:
            OperatorError: the registrar does not say that it is.
        """
        assert self.line is not None
        self.line.extend(NOTED_WITHIN_S)
        try:
            self.line.send({"note": seen})
            told = self.line.receive()
        except (OSError, TalkError) as error:
            raise OperatorError(f"the registrar notes no frame counter ({error})") from None
        if told.get("noted") is not True:
            why = told.get("why")
            raise OperatorError(why if isinstance(why, str) else "the frame counter is not noted")
        self.seen = seen


class Helper:
    """For the radio behind ``interface``; ``user`` is the name of the registrar's user.

    ``say`` gets a line about each run that failed and each caller who is refused, without keys.
    """

    def __init__(
        self,
        interface: str,
        user: str,
        say: Callable[[str], None],
        *,
        now_s: Callable[[], float] = time.time,
        open_socket: "OpenSocket | None" = None,
    ) -> None:
        self._interface = interface
        self._user = user
        self._say = say
        self._open_socket = open_socket
        self._memory = _Relayed()
        # It remembers which nodes it has put in: the kernel lists only the first of many.
        self._keys = RadioKeys(
            interface,
            LONGEST_RUN_S,
            self._memory,
            now_s=now_s,
            open_socket=open_socket,
        )

    def serve(self, listener: socket.socket) -> None:
        """Answer whoever connects, for ever."""
        while True:
            connection, _ = listener.accept()
            with connection:
                self.talk(connection)

    def talk(self, connection: socket.socket) -> None:
        """Answer one question; whoever may not ask is hung up on."""
        user, own = _peer_of(connection), _uid_of(self._user)
        if user not in (0, own):
            whom = self._user if own is not None else f"{self._user}, whom this host does not know,"
            self._say(f"user {user} was hung up on: the helper listens to {whom} alone")
            return
        line = _Line(connection, ASKED_WITHIN_S)
        try:
            answer = self._answered(line)
            if answer.how:
                self._say(answer.how)
            line.extend(ASKED_WITHIN_S)
            line.send(answer.message())
        except (OSError, TalkError, UnicodeError) as error:
            self._say(f"a connection ended without an answer: {error}")

    def _answered(self, line: _Line) -> Answer:
        asked = question_of(line.receive())
        if asked.interface != self._interface:
            return Answer(
                False,
                "this helper sets the keys of another interface,"
                f" {self._interface}, and of no other",
                f"systemctl enable --now jrc-wpan@{asked.interface}.socket",
            )
        self._memory.line, self._memory.seen = line, asked.seen
        try:
            return asyncio.run(self._done(asked))
        finally:
            self._memory.line = self._memory.seen = None

    async def _done(self, asked: Question) -> Answer:
        try:
            async with asyncio.timeout(asked.timeout_s):
                return await self._tried(asked)
        except TimeoutError:
            return Answer(False, f"took longer than {asked.timeout_s:g} s")

    async def _tried(self, asked: Question) -> Answer:
        if asked.wish is Wish.CHECK:
            return await self._checked()
        if asked.wish is Wish.KEEPS:
            return Answer(await self._keys.keeps())
        outcome = await self._keys.put(Secret(asked.document.encode()))
        return Answer(outcome.installed, outcome.how)

    async def _checked(self) -> Answer:
        try:
            await check(self._interface, self._open_socket)
        except OperatorError as error:
            return Answer(False, error.message, error.hint or "")
        return Answer(True)


def _peer_of(connection: socket.socket) -> int:
    """Whose process has connected (SO_PEERCRED)."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    user: int = _UCRED.unpack(raw)[1]
    return user


def _uid_of(name: str) -> int | None:
    """The number of a user of this host; one of systemd's DynamicUser= is there while it runs."""
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        said = name if name.isascii() and name.isdigit() else _dynamic_uid(name)
        return int(said) if said.isascii() and said.isdigit() else None


def _dynamic_uid(name: str) -> str:
    """What systemd says of such a user; "" for nothing. A host may have no libnss-systemd."""
    try:
        return str((DYNAMIC_USERS / f"direct:{name}").readlink())
    except OSError:
        return ""
