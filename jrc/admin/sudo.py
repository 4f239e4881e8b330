"""Who has become root by sudo(8), as root says: nobody can keep root from saying otherwise.

What anybody else says is not believed. It is for sites where several people administrate by sudo,
and the audit log is to tell them apart.
"""

import os
import re
from typing import Final

SUDO_HEADER: Final = "jrc-sudo-user"
"""In which a command tells the daemon."""
_SUDO_USER: Final = "SUDO_USER"
_USER_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}")


def believed(uid: int, name: str) -> str:
    """``name``, if it is one and the user ``uid`` is root; else nothing."""
    return name if uid == 0 and _USER_NAME.fullmatch(name) else ""


def sudo_user() -> str:
    """Who has become this process's user by sudo, where that is root; else nothing."""
    return believed(os.geteuid(), os.environ.get(_SUDO_USER, ""))


def sudo_headers() -> dict[str, str]:
    """What a command tells the daemon of it."""
    by = sudo_user()
    return {SUDO_HEADER: by} if by else {}
