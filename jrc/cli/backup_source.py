"""For whom a backup is sealed, where its content comes from, and who opens it again."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from jrc.cli.client import Api, connect_daemon, daemon_answers
from jrc.cli.keyfiles import passphrase_from, text_of
from jrc.cli.options import Common
from jrc.cli.users import refuse_other_owner
from jrc.config import Settings
from jrc.errors import ExitCode, JrcError, OperatorError
from jrc.model import Secret

if TYPE_CHECKING:
    from jrc.opened import Opened
    from jrc.service.backups import BackupWish
    from jrc.store.backup.container import Header
    from jrc.store.backup.examine import Examined
    from jrc.store.backup.keys import OpenKeys

Take = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class Sealing:
    """How a backup is sealed; ``identity`` is this command's own, and reads the file back."""

    header: "Header"
    identity: Secret
    wish: "BackupWish"


def sealing(
    settings: Settings, passphrase_file: str | None, named: Sequence[str], *, is_final: bool
) -> Sealing:
    """What the options say, else the config file, else a passphrase that is asked for.

    Raises:
        OperatorError: a recipient is none, or there is no passphrase.
    """
    from jrc.service.backups import BackupWish
    from jrc.store.backup.container import Header
    from jrc.store.backup.keyfile import read_backup_key
    from jrc.store.backup.seal import check_recipients, new_identity, seal_identity

    section = settings.backup
    identity, recipient = new_identity()
    recipients, sealed = (recipient, *named), b""
    is_said = passphrase_file is not None or bool(named)
    if not is_said:
        recipients = (recipient, *section.recipients)
    if not is_said and section.key_file is not None:
        key = read_backup_key(section.key_file)
        recipients, sealed = (*recipients, key.recipient), key.sealed_identity
    check_recipients(recipients)
    if passphrase_file is not None or (not sealed and len(recipients) == 1):
        sealed = seal_identity(identity, passphrase_from(passphrase_file, is_new=True))
    header = Header(sealed)
    return Sealing(header, identity, BackupWish(recipients, header.digest, is_final))


class Source(Protocol):
    """Who has the content of a backup, and notes in the audit log what becomes of it."""

    def fill(self, wish: "BackupWish", reason: str, take: Take) -> None:
        """Hand the content on; the reason is for the audit log."""
        ...

    def made(self, reason: str) -> None:
        """Note that the backup is whole; a database that was moved notes nothing."""
        ...


@contextmanager
def source(asked: Common, settings: Settings) -> Iterator[Source]:
    """What gives the content: the daemon, or the database itself where none runs.

    Raises:
        OperatorError: the daemon can't be reached, or the database can't be opened in its stead.
    """
    opened = None if daemon_answers(settings.admin.socket) else _opened(settings)
    if opened is None:
        with connect_daemon(asked) as api:
            yield _OfDaemon(api)
        return
    try:
        yield _OfDatabase(opened)
    finally:
        opened.close()


class _OfDaemon:
    """As ``Source``."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def fill(self, wish: "BackupWish", reason: str, take: Take) -> None:
        """As ``Source.fill``."""
        body = {
            "recipients": list(wish.recipients),
            "header": wish.header_digest.hex(),
            "final": wish.is_final,
            "reason": reason,
        }
        self._api.download("/v1/backups", body, take)

    def made(self, reason: str) -> None:
        """As ``Source.made``."""
        self._api.post("/v1/backups/made", {"reason": reason})


class _OfDatabase:
    """As ``Source``."""

    def __init__(self, opened: "Opened") -> None:
        self._opened = opened

    def fill(self, wish: "BackupWish", reason: str, take: Take) -> None:
        """As ``Source.fill``."""
        from jrc.service.backups import note_backup
        from jrc.store.backup.dump import sealed_dump

        self._note(partial(note_backup, wish=wish), reason)
        sealed_dump(self._opened.database, take, wish, self._opened.clock.now_ms())

    def made(self, reason: str) -> None:
        """As ``Source.made``."""
        from jrc.service.backups import note_made

        self._note(note_made, reason)

    def _note(self, note: Callable[..., None], reason: str) -> None:
        from jrc.admin.peers import this_process
        from jrc.service.backups import needs_note

        if self._opened.read(needs_note):
            self._opened.write(partial(note, actor=this_process().actor, reason=reason))


def _opened(settings: Settings) -> "Opened | None":
    """The database, None where a daemon comes up meanwhile."""
    refuse_other_owner(settings)
    from jrc.clock import HostClock
    from jrc.opened import open_in_turn
    from jrc.store.lock import LockHeldError

    socket = settings.admin.socket
    try:
        return asyncio.run(open_in_turn(settings, HostClock(), lambda: daemon_answers(socket)))
    except LockHeldError:
        return None


def identities(
    header: "Header", file: Path, passphrase_file: str | None, identity_file: str | None
) -> list[Secret]:
    """What opens a backup: those of an identity file, else the one that its passphrase opens.

    Raises:
        OperatorError: the passphrase or the file is another's, or there is neither.
    """
    from jrc.store.backup.seal import identities_in, open_identity

    if identity_file is not None:
        return identities_in(text_of(identity_file), identity_file)
    if not header.sealed_identity:
        raise OperatorError(
            f"{file} has no passphrase",
            "say --identity-file FILE with the identity of one of its recipients",
            exit_code=ExitCode.USAGE,
        )
    return [open_identity(header.sealed_identity, passphrase_from(passphrase_file), str(file))]


def open_backup(file: Path) -> BinaryIO:
    """The file, to be read.

    Raises:
        OperatorError: it can't be.
    """
    try:
        return file.open("rb")
    except OSError as error:
        raise OperatorError(f"{file} can't be read ({error.strerror})") from None


def recovery_opener(file: Path) -> "OpenKeys":
    """What opens the data keys of a backup with the recovery identity in ``file``.

    Raises:
        OperatorError: it holds none.
    """
    from jrc.service.key_records import SlotKind
    from jrc.store.backup.keys import opener
    from jrc.store.keyfile import read_key

    identity = read_key(file, setting="--recovery-file")
    return opener(identity, kinds=tuple(SlotKind), setting="--recovery-file")


def key_opener(settings: Callable[[], Settings]) -> "OpenKeys":
    """What opens the data keys of a backup with the slot key of this host.

    Where there is none, it says so when it is called, and not before.
    """
    from jrc.opened import slot_key
    from jrc.store.backup.keys import opener
    from jrc.store.keyring import Keyring

    try:
        return opener(slot_key(settings()))
    except JrcError as error:
        why = error if isinstance(error, OperatorError) else OperatorError(str(error))

        def refused(_tables: object, why: OperatorError = why) -> Keyring:
            raise why

        return refused


def examined(
    file: BinaryIO,
    path: Path,
    header: "Header",
    opens: Sequence[Secret],
    open_keys: "OpenKeys",
    progress: Callable[[int], None],
) -> "Examined":
    """A look through all of a backup.

    Raises:
        OperatorError: it is damaged, of a later version, or sealed for others.
    """
    from jrc.store.backup.examine import examine_backup

    return examine_backup(file, header, opens, str(path), open_keys, progress)
