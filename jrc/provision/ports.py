"""Where consoles of devices are read from, and written to: serial ports, pipes and files.

A ``Port`` outlives what it has open: a board that is unplugged and comes back at the same path goes
on. Nothing here waits, but for a write to a serial port that takes nothing.
"""

import errno
import os
import stat
import sys
import termios
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from jrc.errors import ExitCode, OperatorError

if TYPE_CHECKING:
    from serial import Serial

STDIN = "-"
READ_BYTES = 65_536
WRITE_WITHIN_S = 2.0
"""A device that takes no byte for so long has stopped."""
GONE = "the device has gone"
ABSENT = "nothing is there yet"


class PortClosedError(Exception):
    """What was open has gone: the cable, the writer of a pipe, or the file. It may come back."""


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

    def write(self, data: bytes) -> None:
        """Sends all of ``data``.

        Raises:
            PortClosedError: it has gone, or takes nothing.
        """
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

    def write(self, data: bytes) -> None:
        raise PortClosedError("it can't be written to")

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


class SerialLine:
    """A serial port, 8N1, which this process has for itself: two readers would share its lines."""

    is_waited_for = True

    def __init__(self, path: str, baud: int) -> None:
        self._serial = _open_serial(path, baud)

    def fileno(self) -> int:
        """As ``Line.fileno``."""
        return int(self._serial.fileno())

    def read(self) -> bytes:
        """What is there now."""
        try:
            return bytes(self._serial.read(READ_BYTES))
        except OSError:
            raise PortClosedError(GONE) from None

    def write(self, data: bytes) -> None:
        """As ``Line.write``; waits ``WRITE_WITHIN_S`` at most."""
        try:
            self._serial.write(data)
        except OSError:
            raise PortClosedError("the device takes nothing, or has gone") from None

    def close(self) -> None:
        """As ``Line.close``."""
        with suppress(OSError):
            self._serial.close()


def _open_serial(path: str, baud: int) -> "Serial":
    """A port that no other program has.

    Raises:
        PortClosedError: another program has it, or it can't be set up.
    """
    from serial import Serial, SerialException

    try:
        return Serial(
            path, baud, timeout=0, write_timeout=WRITE_WITHIN_S, exclusive=True, xonxoff=False
        )
    except (SerialException, ValueError, termios.error) as error:
        raise PortClosedError(_serial_words(error)) from None


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
        """Whether it is open now; if not, ``trouble`` says why.

        Raises:
            OperatorError: what is there can never be a console.
        """
        try:
            self._line = _opened(self.path, self.baud, serial_alone=self.is_written_to)
        except PortClosedError as error:
            self.trouble = str(error)
        except OSError as error:
            self.trouble = _words(error)
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

    def write(self, data: bytes) -> None:
        """Sends all of ``data`` to the device.

        Raises:
            PortClosedError: it is not open, has gone, or can't be written to.
        """
        if self._line is None:
            raise PortClosedError("it is not open")
        try:
            self._line.write(data)
        except PortClosedError as error:
            self._drop(error)
            raise

    def close(self) -> None:
        """Lets go of what is open."""
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
        raise OperatorError(
            f"{path} is no serial port, pipe or file",
            "name the port of a console, such as /dev/ttyACM0",
            exit_code=ExitCode.USAGE,
        )
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        return PipeLine(descriptor)
    return FileLine(descriptor, Path(path))


def _serial_words(error: Exception) -> str:
    """The library wraps what the system says, at times without its number, at times not at all."""
    if "exclusively lock" in str(error):
        return "another program has it"
    for each in (error, error.__context__):
        if isinstance(each, termios.error):
            return _words(OSError(*each.args))
    return _words(error) if isinstance(error, OSError) else "it does not take that speed"


def _words(error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return "this user may not open it"
    if error.errno == errno.ENOENT:
        return ABSENT
    if error.errno in (errno.EIO, errno.ENXIO, errno.ENODEV):
        return GONE
    return os.strerror(error.errno) if error.errno else "it can't be opened"
