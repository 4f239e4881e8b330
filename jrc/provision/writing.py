"""Files with keys: whole or not at all, on disk, and readable by their owner alone."""

import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from jrc.errors import OperatorError

_FILE_MODE = 0o600
_FOLDER_MODE = 0o700
_PART = ".jrc.part"
"""How names end that files have before their own; no other program's do."""


_TOO_LONG = "a folder names files by identifiers; give this device a run and a FILE of its own"


class NewFile(NamedTuple):
    """A file that is to be."""

    path: Path
    content: str | bytes
    mode: int = _FILE_MODE

    @property
    def raw(self) -> bytes:
        """What is written."""
        return self.content.encode() if isinstance(self.content, str) else self.content


def publish(
    files: Sequence[NewFile], *, overwrite: bool = False, between: Callable[[], None] | None = None
) -> None:
    """Put all of the files in place, or none; the last one is new only where all others are.

    Folders that are missing are made. ``between`` is called when all are on disk, before the first
    has its name; what it raises takes all back. A kill leaves at most ``.NAME.jrc.part`` behind,
    which the next run into that folder removes, and of several files perhaps the first without the
    last; so does a power cut, for the names of the others are on disk before the last has its own.

    Raises:
        OperatorError: one of them is there and differs and was not to be overwritten, or can't be
            written.
    """
    with ExitStack() as undo, _explained():
        for file in files:
            _make(file.path.parent, undo)
        folders = list(dict.fromkeys(file.path.parent.resolve() for file in files))
        with _locked(folders):
            for folder in folders:
                _forget_parts(folder)
            _refuse_others(files, overwrite=overwrite)
            with _staged(files) as parts:
                if between is not None:
                    between()
                for some in (parts[:-1], parts[-1:]):
                    _name(some, undo)
                    for folder in folders:
                        _sync(folder)
        undo.pop_all()


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        where = error.filename if isinstance(error.filename, str) else "the files"
        raise OperatorError(
            f"{where} can't be written ({error.strerror}); nothing was made",
            _TOO_LONG if error.errno == errno.ENAMETOOLONG else "",
        ) from None


def _make(folder: Path, undo: ExitStack) -> None:
    """The folder, and with it those above it."""
    if folder.is_dir():
        return
    if folder.parent != folder:
        _make(folder.parent, undo)
    with suppress(FileExistsError):
        folder.mkdir(_FOLDER_MODE)
        undo.callback(_forget, folder)
        folder.chmod(_FOLDER_MODE)
        _sync(folder.parent)


def _forget(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


@contextmanager
def _locked(folders: Sequence[Path]) -> Iterator[None]:
    """Keeps other runs out of the folders, so that files of two runs are never mixed.

    Raises:
        OperatorError: another run works in one of them.
    """
    with ExitStack() as opened:
        for folder in folders:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            opened.callback(os.close, descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP):
                    raise _busy(folder, error) from None
        yield


def _busy(folder: Path, error: OSError) -> OperatorError:
    if isinstance(error, BlockingIOError):
        return OperatorError(
            f"another run writes keys into {folder} just now; nothing was made",
            "wait for its end, then try again",
        )
    return OperatorError(f"{folder} can't be locked ({error.strerror}); nothing was made")


def _forget_parts(folder: Path) -> None:
    """Remove what a run that was killed has left; under other names no later one would."""
    for part in folder.glob(f".*{_PART}"):
        with suppress(OSError):
            part.unlink()


def _refuse_others(files: Sequence[NewFile], *, overwrite: bool) -> None:
    for file in files:
        if file.path.is_dir():
            raise OperatorError(
                f"{file.path} is a folder; nothing was made", "name a file that is to be"
            )
        if _is_special(file.path):
            raise OperatorError(
                f"{file.path} is no regular file; nothing was made", "name a file that is to be"
            )
        if not overwrite and os.path.lexists(file.path) and not _is_same(file):
            raise OperatorError(
                f"{file.path} is there already, perhaps with keys that devices have; nothing was"
                " made",
                "name another file, or say --overwrite",
            )


def _is_special(path: Path) -> bool:
    """Whether it is a pipe or a device: reading one may never end."""
    with suppress(OSError):
        return not stat.S_ISREG(path.stat().st_mode)
    return False


def _is_same(file: NewFile) -> bool:
    with suppress(PermissionError, FileNotFoundError):
        return file.path.read_bytes() == file.raw
    return False


@contextmanager
def _staged(files: Sequence[NewFile]) -> Iterator[list[tuple[Path, Path]]]:
    """The files under names of their own beside where they go, on disk; gone at the end."""
    parts: list[tuple[Path, Path]] = []
    try:
        for file in files:
            part = file.path.with_name(f".{file.path.name}{_PART}")
            parts.append((part, file.path))
            _write(part, file)
        yield parts
    finally:
        for part, _ in parts:
            with suppress(OSError):
                part.unlink()


def _write(part: Path, new: NewFile) -> None:
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(part, flags, _FILE_MODE)
    with open(descriptor, "wb") as file:
        os.fchmod(descriptor, new.mode)
        file.write(new.raw)
        file.flush()
        os.fsync(descriptor)


def _name(parts: Sequence[tuple[Path, Path]], undo: ExitStack) -> None:
    for part, path in parts:
        is_new = not os.path.lexists(path)
        part.rename(path)
        if is_new:
            undo.callback(path.unlink, missing_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
