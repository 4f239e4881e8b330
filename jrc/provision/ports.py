"""Where consoles of devices are read from, and written to: serial ports, pipes and files.

A ``Port`` outlives what it has open: a board that is unplugged and comes back at the same path goes
on. Nothing here waits.
"""

import os
import stat
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from jrc.provision.serial_line import (
    NO_CONSOLE,
    READ_BYTES,
    PortClosedError,
    SerialLine,
    in_words,
)

STDIN = "-"
MAX_UNSENT_BYTES = 4096
"""For a device that takes nothing, more than a key line: what is beyond it is not sent."""


class Line(Protocol):
    """What a port has open."""

    is_waited_for: bool
    """Whether ``poll`` tells that there is something to read; a file has to be looked at."""

    def fileno(self) -> int:
        """Its descriptor."""
        ...

    def read(self) -> bytes:
        """What is there now; for a file, nothing at its end.

        Raises:
            PortClosedError: it has gone.
        """
        ...

    def write(self, data: bytes) -> int:
        """Sends what the other side takes at once: how many bytes.

        Raises:
            PortClosedError: it has gone, or can't be written to.
        """
        ...

    def forget_unsent(self) -> None:
        """What the kernel still has of what was written is never sent."""
        ...

    def close(self) -> None:
        """Lets it go."""
        ...


class _ReadOnly:
    """A descriptor that is only read."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def write(self, data: bytes) -> int:
        raise PortClosedError("it can't be written to")

    def forget_unsent(self) -> None:
        """Nothing was written."""

    def close(self) -> None:
        os.close(self._descriptor)


class PipeLine(_ReadOnly):
    """A FIFO or standard input: ends when all who wrote have closed it."""

    is_waited_for = True

    def read(self) -> bytes:
        """What is there; to be called when there is something, or an end."""
        try:
            found = os.read(self._descriptor, READ_BYTES)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise PortClosedError(error.strerror or "it can't be read") from None
        if not found:
            raise PortClosedError("nobody writes to it any more")
        return found


class FileLine(_ReadOnly):
    """A file, from its beginning, and then what is added; ``path`` tells if it was replaced."""

    is_waited_for = False

    def __init__(self, descriptor: int, path: Path) -> None:
        super().__init__(descriptor)
        self._path = path

    def read(self) -> bytes:
        """What was added."""
        try:
            found = os.read(self._descriptor, READ_BYTES)
        except OSError as error:
            raise PortClosedError(error.strerror or "it can't be read") from None
        if not found and self._is_another():
            raise PortClosedError("the file was replaced or cut")
        return found

    def _is_another(self) -> bool:
        mine = os.fstat(self._descriptor)
        try:
            now = self._path.stat()
        except OSError:
            return True
        at = os.lseek(self._descriptor, 0, os.SEEK_CUR)
        return (mine.st_dev, mine.st_ino) != (now.st_dev, now.st_ino) or now.st_size < at


@dataclass(slots=True)
class Port:
    """One console: ``path`` is where it is, ``label`` what people call it."""

    path: str
    label: str
    baud: int
    once: bool = False
    is_written_to: bool = False
    """Whether it is of no use where only reading is possible."""
    trouble: str = ""
    """Why it is not open, in words; empty while it is."""
    _line: Line | None = field(default=None, repr=False)
    _unsent: bytes = field(default=b"", repr=False)

    @property
    def is_open(self) -> bool:
        """Whether something can be read."""
        return self._line is not None

    @property
    def comes_back(self) -> bool:
        """Whether there can be more once it has gone: not of a pipe without a name."""
        return not self.once and self.path != STDIN and not _is_nameless(self.path)

    @property
    def is_waited_for(self) -> bool:
        """Whether ``poll`` tells of it; else it has to be looked at from time to time."""
        return self._line is not None and self._line.is_waited_for

    def fileno(self) -> int:
        """The descriptor of what is open."""
        assert self._line is not None, "asked of open ports alone"
        return self._line.fileno()

    def open(self) -> bool:
        """Whether it is open now; if not, ``trouble`` says why."""
        try:
            self._line = _opened(self.path, self.baud, serial_alone=self.is_written_to)
        except PortClosedError as error:
            self.trouble = str(error)
        except OSError as error:
            self.trouble = in_words(error)
        else:
            self.trouble = ""
        return self._line is not None

    def read(self) -> bytes:
        """What is there now, perhaps nothing.

        Raises:
            PortClosedError: it has gone; the port is closed then.
        """
        assert self._line is not None, "asked of open ports alone"
        try:
            return self._line.read()
        except PortClosedError as error:
            self._drop(error)
            raise

    @property
    def unsent(self) -> int:
        """Bytes that the device has not taken yet."""
        return len(self._unsent)

    def write(self, data: bytes) -> None:
        """Has ``data`` sent by ``flush``; what a device leaves that takes nothing is bounded.

        Raises:
            PortClosedError: it is not open.
        """
        if self._line is None:
            raise PortClosedError("it is not open")
        if len(self._unsent) + len(data) <= MAX_UNSENT_BYTES:
            self._unsent += data

    def flush(self) -> None:
        """Sends what the device takes now.

        Raises:
            PortClosedError: it has gone, or can't be written to; the port is closed then.
        """
        if self._line is None or not self._unsent:
            return
        try:
            self._unsent = self._unsent[self._line.write(self._unsent) :]
        except PortClosedError as error:
            self._drop(error)
            raise

    def forget_unsent(self) -> None:
        """What the device has not taken is never sent; reading goes on."""
        self._unsent = b""
        if self._line is not None:
            self._line.forget_unsent()

    def close(self) -> None:
        """Lets go of what is open."""
        self._unsent = b""
        if self._line is not None:
            self._line.close()
            self._line = None

    def _drop(self, error: PortClosedError) -> None:
        self.close()
        self.trouble = str(error)


def _is_nameless(path: str) -> bool:
    """Whether it is a pipe of the shell's: ``/dev/fd/63`` of ``<(command)``."""
    return "pipe:[" in os.path.realpath(path)


def _opened(path: str, baud: int, *, serial_alone: bool) -> Line:
    if serial_alone and path != STDIN and not stat.S_ISCHR(os.stat(path).st_mode):
        raise PortClosedError("no key can be sent to it, as it is no serial port")
    if path == STDIN:
        return PipeLine(os.dup(sys.stdin.fileno()))
    mode = os.stat(path).st_mode
    if stat.S_ISCHR(mode):
        return SerialLine(path, baud)
    if not (stat.S_ISFIFO(mode) or stat.S_ISREG(mode)):
        raise PortClosedError(NO_CONSOLE)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        return PipeLine(descriptor)
    return FileLine(descriptor, Path(path))
