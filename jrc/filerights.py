"""Who else may read a file that holds a key: by its mode and its access control list (acl(5))."""

import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from jrc.errors import ExitCode, OperatorError

_ATTRIBUTE: Final = "system.posix_acl_access"
_HEADER: Final = struct.Struct("<I")
_ENTRY: Final = struct.Struct("<HHI")
_USER, _OWNING_GROUP, _GROUP, _MASK = 0x02, 0x04, 0x08, 0x10
"""Tags of an entry, in `linux/posix_acl.h`."""
_GROUPS_BITS, _OTHERS_BITS, _ALL = 0o070, 0o007, 0o7
_ROOT = 0


def read_private(
    path: Path, what: str, most_bytes: int, *, exit_code: ExitCode = ExitCode.FAILED
) -> bytes:
    """The first bytes of a file with a secret; ``what`` names it in a message.

    Raises:
        OSError: it can't be read.
        OperatorError: others can read it, too.
    """
    with path.open("rb") as file:
        if is_open_to_others(file.fileno()):
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            raise OperatorError(
                f"{what} {path} can be read by others (mode {mode:04o})",
                f"run: chmod 600 {path}",
                exit_code=exit_code,
            )
        return file.read(most_bytes)


def is_open_to_others(descriptor: int) -> bool:
    """Whether anybody but its owner, root and the user of this process has rights to an open file.

    A file with a list has the most that the list gives anybody in the place of its group's bits:
    systemd 254 and later gives a service its credentials so, with mode 0440 and a list that has
    nobody but the service's user.
    """
    mode = os.fstat(descriptor).st_mode
    if mode & _OTHERS_BITS:
        return True
    return bool(mode & _GROUPS_BITS) and _gives_others(descriptor)


def _gives_others(descriptor: int) -> bool:
    try:
        entries = list(_entries(os.getxattr(descriptor, _ATTRIBUTE)))
    except OSError:  # it has none: the bits are the group's
        return True
    mask = next((rights for tag, rights, _ in entries if tag == _MASK), _ALL)
    return any(rights & mask for tag, rights, who in entries if _is_another(tag, who))


def _is_another(tag: int, who: int) -> bool:
    return tag in (_OWNING_GROUP, _GROUP) or (tag == _USER and who not in (_ROOT, os.geteuid()))


def _entries(attribute: bytes) -> Iterator[tuple[int, int, int]]:
    """Tag, rights and user or group of each."""
    return _ENTRY.iter_unpack(attribute[_HEADER.size :])
