"""Files that commands write where they are told to: never in place of what the registrar needs."""

import os
import stat
from collections.abc import Container, Iterator
from pathlib import Path

from jrc.cli.options import Common
from jrc.config import Settings
from jrc.errors import ExitCode, OperatorError

_OF_A_DATABASE = ("", "-wal", "-shm", ".lock")
_OF_AN_INSTANCE = ("", ".new", ".restored", ".lock")


def refuse_own_files(file: Path, asked: Common, but: Container[str] = ()) -> None:
    """Nothing, if a file that is written may take the place of what is at ``file``.

    What the registrar needs is known by its name and by its inode; where there is no config file
    that can be read, nothing is. ``but``: what the command is for.

    Raises:
        OperatorError: the registrar has need of it, or it is no regular file.
    """
    try:
        found = file.stat()
    except OSError:
        found = None
    if found is not None and not stat.S_ISREG(found.st_mode):
        raise OperatorError(
            f"{file} is no regular file; nothing was written",
            "name a file, or a name in a folder that is not taken",
            exit_code=ExitCode.REFUSED,
        )
    for what, own in _own_files(asked):
        if what in but:
            continue
        if own.resolve() == file.resolve() or (found is not None and _is_same(own, found)):
            raise OperatorError(
                f"{file} is the registrar's {what}; nothing was written",
                "name another file",
                exit_code=ExitCode.REFUSED,
            )


def _is_same(own: Path, found: os.stat_result) -> bool:
    try:
        return os.path.samestat(own.stat(), found)
    except OSError:
        return False


def _own_files(asked: Common) -> Iterator[tuple[str, Path]]:
    try:
        config = asked.path
        yield "config file", config
        settings = asked.settings()
    except OperatorError:
        return
    yield from _named_in(settings)


def _named_in(settings: Settings) -> Iterator[tuple[str, Path]]:
    instance = settings.instance_file
    yield from (("instance file", _beside(instance, end)) for end in _OF_AN_INSTANCE)
    yield "admin socket", settings.admin.socket
    if settings.database.file is not None:
        database = settings.database.file.resolve()
        yield from (("database", _beside(database, end)) for end in _OF_A_DATABASE)
    for key_file in (settings.keys.kek_file, settings.backup.key_file, settings.handover.key):
        if key_file is not None:
            yield "key file", key_file
    if settings.api is not None:
        yield "certificate", settings.api.certificate
        yield "private key", settings.api.private_key


def _beside(file: Path, end: str) -> Path:
    return file.with_name(file.name + end)
