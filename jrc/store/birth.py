"""When a file was made, as its file system has it (statx(2), ``STATX_BTIME``).

No program can set it: a copy was made when it was copied, whatever other times it was given
(``cp -a``, ``rsync``, ``tar``). A change of name leaves it, and so does a snapshot of the whole
file system. Python's ``os.stat`` does not have it on Linux.

That holds for the file systems named here. Others say a time that does not last: FAT cuts it to
10 ms, in local time, once it is mounted anew; a server of SMB may give a file that takes another's
place the time of that one; what stands behind FUSE is not known.
"""

import ctypes
import struct
from functools import cache

_AT_EMPTY_PATH = 0x1000
"""fcntl.h: the descriptor itself."""
_STATX_BTIME = 0x800
_STATX_BYTES = 256
"""linux/stat.h; where ``stx_mask`` and ``stx_btime`` are in ``struct statx``:"""
_MASK_AT, _BTIME_AT = 0, 80
_STEADY = {
    0xEF53: "ext4",
    0x58465342: "XFS",
    0x9123683E: "Btrfs",
    0xF2F52010: "F2FS",
    0x2FC12FC1: "ZFS",
    0x01021994: "tmpfs",
    0x794C7630: "overlayfs",  # which says what the one below it does
}
"""statfs(2), ``f_type``: where the time of a file stays what it was."""
_STATFS_BYTES = 256
"""More than ``struct statfs`` has anywhere; ``f_type`` begins it."""


def born_ns(file: int) -> int | None:
    """When an open file was made, in nanoseconds since 1970.

    None where the file system does not keep that, or a sandbox does not let it be asked.
    """
    library = _library()
    statx = getattr(library, "statx", None)
    found = ctypes.create_string_buffer(_STATX_BYTES)
    if statx is None or statx(file, b"", _AT_EMPTY_PATH, _STATX_BTIME, found) != 0:
        return None
    (mask,) = struct.unpack_from("=I", found, _MASK_AT)
    if not mask & _STATX_BTIME or not _is_steady(library, file):
        return None
    seconds, nanoseconds = struct.unpack_from("=qI", found, _BTIME_AT)
    return int(seconds) * 1_000_000_000 + int(nanoseconds)


@cache
def _library() -> ctypes.CDLL:
    """This process's C library."""
    return ctypes.CDLL(None)


def _is_steady(library: ctypes.CDLL, file: int) -> bool:
    found = ctypes.create_string_buffer(_STATFS_BYTES)
    if library.fstatfs(file, found) != 0:
        return False
    return ctypes.c_ulong.from_buffer(found).value & 0xFFFFFFFF in _STEADY
