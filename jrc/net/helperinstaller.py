"""Has the helper of a radio put its keys in (``helper.py``), as this process may not."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

from jrc.errors import OperatorError
from jrc.model import Secret
from jrc.net.framecounter import Seen
from jrc.net.helpertalk import (
    LENGTH,
    Answer,
    Message,
    Question,
    TalkError,
    Wish,
    answer_of,
    length_of,
    packed,
    seen_of,
    unpacked,
)
from jrc.net.linuxinstaller import CounterMemory
from jrc.net.runlock import RunLock, run_alone
from jrc.service.ports import InstallOutcome

_GRACE_S: Final = 5.0
"""For the way there and back, beside the time of the run; and it may have to be started first."""
_CHECK_S: Final = 10.0
_MAX_NOTES: Final = 16
"""More than a run has to say of the frame counter."""


class HelperInstaller:
    """As ``service.ports.KeyInstaller``; ``socket`` is the helper's.

    What outlives the radio stays here: ``memory`` and ``lock`` are as ``LinuxInstaller`` has them,
    so that nothing is lost where one takes the place of the other.
    """

    is_local = True

    def __init__(
        self, interface: str, timeout_s: float, lock: Path, memory: CounterMemory, socket: Path
    ) -> None:
        self._interface = interface
        self._timeout_s = timeout_s
        self._lock = lock
        self._memory = memory
        self._socket = socket

    async def install(self, network: str, document: Secret) -> InstallOutcome:
        """As ``KeyInstaller.install``; ``network`` is in the document as well."""
        return await run_alone(self._lock, partial(self._run, document))

    async def keeps(self) -> bool:
        """As ``KeyInstaller.keeps``: False where nobody can tell, too."""
        try:
            return (await self._ask(Wish.KEEPS)).good
        except OperatorError:
            return False

    async def _run(self, document: Secret, lock: RunLock) -> InstallOutcome:
        lock.name(os.getpid())
        try:
            answer = await self._ask(Wish.INSTALL, document.reveal().decode())
        except OperatorError as error:
            return InstallOutcome(False, f"{error.message}; {error.hint}")
        return InstallOutcome(answer.good, answer.how)

    async def _ask(self, wish: Wish, document: str = "") -> Answer:
        question = Question(
            wish=wish,
            interface=self._interface,
            timeout_s=self._timeout_s,
            seen=self._memory.read(),
            document=document,
        )
        return await asked(self._socket, question, self._memory)


async def check_by_helper(interface: str, socket: Path) -> None:
    """As ``linuxinstaller.check``, of the helper behind this socket.

    Raises:
        OperatorError: keys can't be set; one sentence, and what to do.
    """
    question = Question(wish=Wish.CHECK, interface=interface, timeout_s=_CHECK_S)
    answer = await asked(socket, question)
    if not answer.good:
        raise OperatorError(answer.how, answer.hint)


async def asked(socket: Path, question: Question, memory: CounterMemory | None = None) -> Answer:
    """The helper's answer; ``memory`` notes what it says of the frame counter.

    Raises:
        OperatorError: it gives none.
    """
    unit = f"jrc-wpan@{question.interface}"
    try:
        async with asyncio.timeout(question.timeout_s + _GRACE_S), _connected(socket) as line:
            return await line.asked(question, memory)
    except TimeoutError:
        why = f"has not answered within {question.timeout_s + _GRACE_S:g} s"
    except TalkError as error:
        why = f"does not answer as a helper does ({error})"
    except (asyncio.IncompleteReadError, ConnectionResetError, BrokenPipeError):
        why = "has hung up"
    except OSError as error:
        raise OperatorError(
            f"the helper on {socket} can't be reached ({error.strerror or error})",
            f"systemctl enable --now {unit}.socket; where it was started too often: systemctl"
            f" reset-failed {unit}.socket {unit}.service, and the same again",
        ) from None
    raise OperatorError(f"the helper on {socket} {why}", f"`journalctl -u {unit}` says more")


class _Line:
    """A connection to the helper."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def asked(self, question: Question, memory: CounterMemory | None) -> Answer:
        await self._send(question.message())
        for _ in range(_MAX_NOTES):
            told = await self._receive()
            if "note" not in told:
                return answer_of(told)
            await self._send(_noted(seen_of(told["note"]), memory))
        raise TalkError("it has more to note than a run can have")

    async def _send(self, message: Message) -> None:
        self._writer.write(packed(message))
        await self._writer.drain()

    async def _receive(self) -> Message:
        length = length_of(await self._reader.readexactly(LENGTH.size))
        return unpacked(await self._reader.readexactly(length))


def _noted(seen: Seen, memory: CounterMemory | None) -> Message:
    """Whether it is on this process's disk, as the helper is told."""
    if memory is None:
        return {"noted": False, "why": "nothing was to be changed"}
    try:
        memory.write(seen)
    except OperatorError as error:
        return {"noted": False, "why": error.message}
    return {"noted": True}


@asynccontextmanager
async def _connected(socket: Path) -> AsyncIterator[_Line]:
    reader, writer = await asyncio.open_unix_connection(str(socket))
    try:
        yield _Line(reader, writer)
    finally:
        # At once: what was not yet sent is of no use to anybody.
        writer.transport.abort()
