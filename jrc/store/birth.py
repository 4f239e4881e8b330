"""When a file was made, as its file system has it (statx(2), ``STATX_BTIME``).

No program can set it: a copy was made when it was copied, whatever other times it was given
(``cp -a``, ``rsync``, ``tar``). A change of name leaves it, and so does a snapshot of the whole
file system. Python's ``os.stat`` does not have it on Linux.
"""

import ctypes
import struct

_AT_EMPTY_PATH = 0x1000
"""fcntl.h: the descriptor itself."""
_STATX_BTIME = 0x800
_STATX_BYTES = 256
"""linux/stat.h; where ``stx_mask`` and ``stx_btime`` are in ``struct statx``:"""
_MASK_AT, _BTIME_AT = 0, 80


def born_ns(file: int) -> int | None:
    """When an open file was made, in nanoseconds since 1970.

    None where the file system does not keep that, or a sandbox does not let it be asked.
    """
    statx = getattr(ctypes.CDLL(None), "statx", None)
    found = ctypes.create_string_buffer(_STATX_BYTES)
    if statx is None or statx(file, b"", _AT_EMPTY_PATH, _STATX_BTIME, found) != 0:
        return None
    (mask,) = struct.unpack_from("=I", found, _MASK_AT)
    if not mask & _STATX_BTIME:
        return None
    seconds, nanoseconds = struct.unpack_from("=qI", found, _BTIME_AT)
    return int(seconds) * 1_000_000_000 + int(nanoseconds)
