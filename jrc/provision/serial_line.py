"""A serial port that is open, and what the system says of one, in words."""

import errno
import fcntl
import os
import termios
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serial import Serial

READ_BYTES = 65_536
GONE = "the device has gone"
ABSENT = "nothing is there yet"
NO_CONSOLE = "it is no serial port, pipe or file"
_TAKEN = "another program has it"


class PortClosedError(Exception):
    """What was open has gone: the cable, the writer of a pipe, or the file. It may come back."""


class SerialLine:
    """A serial port, 8N1, which this process has for itself: two readers would share its lines.

    ``flock`` keeps out what asks for it, TIOCEXCL everybody else but root.
    """

    is_waited_for = True

    def __init__(self, path: str, baud: int) -> None:
        self._serial = _open_serial(path, baud)
        self._exclude(termios.TIOCEXCL)

    def fileno(self) -> int:
        """As ``ports.Line.fileno``."""
        return int(self._serial.fileno())

    def read(self) -> bytes:
        """What is there now."""
        try:
            return bytes(self._serial.read(READ_BYTES))
        except OSError:
            raise PortClosedError(GONE) from None

    def write(self, data: bytes) -> int:
        """As ``ports.Line.write``; pyserial's own would go round and round where nothing is taken.

        Raises:
            PortClosedError: it has gone.
        """
        try:
            return os.write(self.fileno(), data)
        except BlockingIOError:
            return 0
        except OSError:
            raise PortClosedError(GONE) from None

    def forget_unsent(self) -> None:
        """As ``ports.Line.forget_unsent``."""
        with suppress(OSError, termios.error):
            self._serial.reset_output_buffer()

    def close(self) -> None:
        """Lets it go; the kernel would wait up to half a minute for what it has not sent."""
        self.forget_unsent()
        self._exclude(termios.TIOCNXCL)
        with suppress(OSError):
            self._serial.close()

    def _exclude(self, request: int) -> None:
        """TIOCEXCL or TIOCNXCL: the flag outlives the descriptor where the other side is open."""
        with suppress(OSError):
            fcntl.ioctl(self.fileno(), request)


def _open_serial(path: str, baud: int) -> "Serial":
    """A port that no other program has.

    Raises:
        PortClosedError: another program has it, or it can't be set up.
    """
    from serial import Serial, SerialException

    try:
        return Serial(path, baud, timeout=0, exclusive=True, xonxoff=False)
    except (SerialException, ValueError, termios.error) as error:
        raise PortClosedError(_serial_words(error)) from None


def _serial_words(error: Exception) -> str:
    """The library wraps what the system says, at times without its number, at times not at all."""
    if "exclusively lock" in str(error):
        return _TAKEN
    for each in (error, error.__context__):
        if isinstance(each, termios.error):
            return in_words(OSError(*each.args))
    return in_words(error) if isinstance(error, OSError) else "it does not take that speed"


_WORDS = {
    errno.EACCES: "this user may not open it",
    errno.EPERM: "this user may not open it",
    errno.ENOENT: ABSENT,
    errno.EBUSY: _TAKEN,
    errno.ENOTTY: NO_CONSOLE,
    errno.EIO: GONE,
    errno.ENXIO: GONE,
    errno.ENODEV: GONE,
}


def in_words(error: OSError) -> str:
    """Why a port can't be opened."""
    number = error.errno or 0
    return _WORDS.get(number) or (os.strerror(number) if number else "it can't be opened")
