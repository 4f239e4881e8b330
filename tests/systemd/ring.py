"""Opens an IPv6 socket in each way that there is, and sends: ``python ring.py``, a line for each.

`socket()`, which RestrictAddressFamilies= of systemd filters, and io_uring, which it does not.
"""

import ctypes
import mmap
import os
import socket
import struct
from collections.abc import Callable

SETUP, ENTER = 425, 426
"""System calls, the same numbers on every processor."""
OP_SOCKET = 45
WAIT_FOR_IT = 1
SUBMISSIONS = 0x10000000
"""Where the queue's entries are mapped from (io_uring(7))."""
_PARAMETERS = 120
_SIZE_OF_SUBMISSION, _SIZE_OF_COMPLETION = 64, 16

_libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    for name, opened in (("socket", _by_socket), ("io_uring", _by_ring)):
        print(name, _said(opened), flush=True)


def _said(opened: Callable[[], socket.socket]) -> str:
    try:
        end = opened()
    except OSError as error:
        return f"not opened: {error.strerror}"
    try:
        end.sendto(b"", ("::1", 9))
    except OSError as error:
        return f"not sent: {error.strerror}"
    return "sent"


def _by_socket() -> socket.socket:
    return socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)


def _by_ring() -> socket.socket:
    parameters = ctypes.create_string_buffer(_PARAMETERS)
    ring = _checked(_libc.syscall(SETUP, 1, parameters))
    entries, completions = struct.unpack_from("=2I", parameters, 0)
    _, tail, _, _, _, _, array = struct.unpack_from("=7I", parameters, 40)
    *_, done_at = struct.unpack_from("=6I", parameters, 80)
    size = max(array + 4 * entries, done_at + _SIZE_OF_COMPLETION * completions)
    queue = mmap.mmap(ring, size)
    asked = mmap.mmap(ring, _SIZE_OF_SUBMISSION * entries, offset=SUBMISSIONS)
    asked[:16] = struct.pack("=BBHiQ", OP_SOCKET, 0, 0, socket.AF_INET6, socket.SOCK_DGRAM)
    struct.pack_into("=I", queue, tail, 1)
    _checked(_libc.syscall(ENTER, ring, 1, 1, WAIT_FOR_IT, None, 0))
    _, result = struct.unpack_from("=Qi", queue, done_at)
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return socket.socket(fileno=result)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


if __name__ == "__main__":
    main()
