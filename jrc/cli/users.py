"""Whose a registrar is, and how this command is run by that user."""

import os
import pwd
import shlex
import sys
from pathlib import Path

from jrc.config import Settings
from jrc.errors import ExitCode, OperatorError

DYNAMIC_USERS = range(61184, 65520)
"""Users that systemd makes for as long as a service runs (systemd.exec(5), DynamicUser=)."""


def refuse_other_owner(settings: Settings) -> None:
    """Refuses to work on a database of another user: files made now would be in his way.

    Raises:
        OperatorError: naming the user, and how to become him.
    """
    file = settings.database.file
    kept_by = owner_of(file if file is not None and file.exists() else settings.state_dir)
    if kept_by is not None and kept_by != os.geteuid():
        raise OperatorError(
            f"{settings.state_dir} belongs to {user_name(kept_by)}, and this is"
            f" {user_name(os.geteuid())}: what is made now would be in the daemon's way",
            f"run: {as_user(kept_by)}",
            exit_code=ExitCode.REFUSED,
        )


def owner_of(path: Path) -> int | None:
    """The number of the user that a file belongs to, None where it can't be looked at."""
    try:
        return path.stat().st_uid
    except OSError:
        return None


def user_name(uid: int) -> str:
    """The user's name, or its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"


def as_user(uid: int | None) -> str:
    """This very command, run by another user; by root where that one is there for a service."""
    if uid in DYNAMIC_USERS:
        stop = "systemctl stop jrc.socket jrc.service"
        return f"{stop}; sudo {shlex.join(['jrc-offline', *sys.argv[1:]])}"
    user = "USER" if uid is None else user_name(uid)
    return f"sudo -u {quoted(user)} {shlex.join(['jrc', *sys.argv[1:]])}"


def who_may_talk(uid: int | None) -> str:
    """This very command, run by who may use the admin socket of that user's daemon."""
    return as_user(0 if uid in DYNAMIC_USERS else uid)


def quoted(word: str) -> str:
    """A word as a shell reads it back."""
    return shlex.quote(word)
