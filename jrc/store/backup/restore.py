"""From a backup to a database that a daemon may open: all of it, or nothing.

A file is built under another name, its condition committed with its rows, and gets its name last:
a process that dies before leaves the database that was there (``placing.py``). A server's database
is filled in one transaction.

A final backup goes on once. Its file names the database that it goes on as before anybody could
use that one; where a restore is broken off then, the same command goes on with that very database,
and nothing else does.
"""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import Connection

from jrc.errors import OperatorError
from jrc.model import Condition, Event, Secret
from jrc.service.recover import quarantine
from jrc.service.registry import Registry
from jrc.store import instancefile, ledger
from jrc.store.backup import placing
from jrc.store.backup.container import check_markable, damaged, mark_spent, read_header
from jrc.store.backup.content import read_content
from jrc.store.backup.examine import Examined
from jrc.store.backup.keys import OpenKeys, Record
from jrc.store.backup.load import Loader
from jrc.store.backup.restored import RestoredFinals
from jrc.store.backup.target import MOVING, check_empty, check_target, connected, is_begun
from jrc.store.engine import create_private_file, database_path
from jrc.store.keyring import Keyring
from jrc.store.ledger import Instance, Ledger
from jrc.store.lock import StateLock
from jrc.store.migrate import check_foreign_keys, foreign_keys_off, migrate
from jrc.store.on_disk import left_behind
from jrc.store.registry import StoreRegistry
from jrc.store.server import server_with_tables
from jrc.store.syncing import sync
from jrc.store.transaction import Transaction

_GO_ON = "the final backup can still be used: mend this, then give the same command again, here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """One restore; ``examined`` is what a look through all of ``file`` has given.

    ``replaces`` lets a database that is in the way be moved aside. ``as_ordinary`` quarantines a
    final backup as well.
    """

    file: BinaryIO
    path: Path
    identities: Sequence[Secret]
    examined: Examined
    open_keys: OpenKeys
    url: str
    instance_file: Path
    now_ms: int
    actor: str
    reason: str = ""
    replaces: bool = False
    as_ordinary: bool = False
    progress: Callable[[int], None] = lambda _rows: None

    @property
    def finals(self) -> RestoredFinals:
        """What this host remembers of final backups."""
        return RestoredFinals.beside(self.instance_file)

    def why_quarantined(self) -> str | None:
        """Why the restored database is quarantined, None where it goes on where it was.

        Raises:
            OperatorError: this host's record of final backups can't be read.
        """
        head = self.examined.head
        begun = is_begun(self.url, self.examined.header.used_by)
        header = self.examined.header
        ended_ms = self.examined.since_ms
        why = self.finals.why_not_open(header, head, ended_ms, self.now_ms, is_begun=begun)
        if why is None and head.epoch in self._left_behind():
            why = "the database that it is to replace has gone on from it"
        if why is None and self.as_ordinary:
            why = "that was asked for"
        if why is None:
            return None
        made = f"restored from the backup of {moment(head.created_at_ms)}"
        return made if not head.is_final else f"{made}: {why}"

    def _left_behind(self) -> Collection[bytes]:
        """Epochs of databases that the one in the way goes on from; a server's is empty."""
        path = database_path(self.url)
        return left_behind(path.resolve()) if path is not None and path.exists() else ()


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore has made; ``aside`` is where the database went that was in the way."""

    instance: Instance
    aside: Path | None

    @property
    def is_open(self) -> bool:
        """Whether it goes on where it was."""
        return self.instance.condition == Condition.OPEN


def moment(at_ms: int) -> str:
    """A time as people read it."""
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def restore(job: Restore) -> Restored:
    """Make the database of ``job``; it is whole and on disk when this returns.

    Raises:
        OperatorError: there is one in the way, the backup changed meanwhile, or it can't be
            written. The database that was there still is, and a final backup can still be used.
    """
    placing.try_folder(job.instance_file)
    path = database_path(job.url)
    if path is None:
        with StateLock.of(None, job.instance_file):
            return _into_server(job)
    try:
        path = path.resolve()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with StateLock(path, job.instance_file):
            check_target(job.url, replaces=job.replaces)
            return _into_file(job, path)
    except OSError as error:
        raise _unwritable(error, path) from None


def _unwritable(error: OSError, path: Path) -> OperatorError:
    return OperatorError(
        f"{error.filename or path} can't be written ({error.strerror})",
        "no database was made that a daemon would take, and one that was there is as it was",
    )


def _into_file(job: Restore, path: Path) -> Restored:
    with placing.built(path) as building:
        file, instance = _whole(job, path, building)
        with placing.kept_aside(path, job.instance_file, job.now_ms) as aside:
            if instance.condition == Condition.OPEN:
                begun = placing.begun_name(path, instance.epoch)
                if file != begun:
                    placing.rename(file, begun)
                file = begun
                _mark(job, file, instance)
            with _can_go_on(job, instance):
                placing.drop_begun(path, file)
                _write_memory(job, instance)
                os.rename(file, path)
        _keep_name(path)
    return Restored(instance, aside)


def _keep_name(path: Path) -> None:
    try:
        sync(path.parent)
    except OSError as error:
        raise OperatorError(
            f"{path} is the restored database now, but that may not be on disk ({error.strerror})",
            "mend the disk; if the former database comes back, give the same command again",
        ) from None


def _whole(job: Restore, path: Path, building: Path) -> tuple[Path, Instance]:
    """The database, whole and on disk under another name than its own, and its instance row."""
    used_by = job.examined.header.used_by
    if job.why_quarantined() is None:
        check_markable(job.path, job.examined.header)
        if used_by is not None:
            begun = placing.begun_name(path, used_by)
            return begun, _instance_of_begun(job, begun)
    create_private_file(building)
    with (
        connected(f"sqlite:///{building}") as connection,
        foreign_keys_off(connection),
        connection.begin(),
    ):
        instance = _fill(connection, job)
    placing.settle(building)
    return building, instance


def _instance_of_begun(job: Restore, begun: Path) -> Instance:
    with connected(f"sqlite:///{begun}") as connection, connection.begin():
        instance = _instance_of(connection, job)
    placing.settle(begun)
    return instance


def _instance_of(connection: Connection, job: Restore) -> Instance:
    """That of the database that the backup names.

    Raises:
        OperatorError: another one has taken its place.
    """
    keyring = job.open_keys(_key_rows(connection))
    found = ledger.read(connection, keyring.mac)
    if found.epoch != job.examined.header.used_by:
        raise OperatorError(f"{job.path} goes on as another database than is here")
    return found


def _mark(job: Restore, begun: Path, instance: Instance) -> None:
    """Let the backup say what it goes on as; that one is of no use where it does not."""
    try:
        mark_spent(job.path, instance.epoch)
    except OperatorError:
        if read_header(job.file, str(job.path)).used_by != instance.epoch:
            begun.unlink(missing_ok=True)
        raise


@contextmanager
def _can_go_on(job: Restore, instance: Instance) -> Iterator[None]:
    """Once a final backup is marked, whatever fails has the same remedy.

    Raises:
        OperatorError: something failed.
    """
    if instance.condition != Condition.OPEN:
        yield
        return
    try:
        job.finals.add(job.examined.head, job.now_ms)
        yield
    except OSError as error:
        raise OperatorError(_unwritable(error, job.path).message, _GO_ON) from None
    except OperatorError as error:
        raise OperatorError(error.message, _GO_ON, exit_code=error.exit_code) from None


def _into_server(job: Restore) -> Restored:
    """Filled in a transaction; one that goes on where it was is opened in another, after the mark.

    A kill between them leaves a database that answers nobody until the same command opens it.
    """
    is_final = job.why_quarantined() is None
    with connected(job.url) as connection:
        with connection.begin():
            instance = _filled_or_begun(connection, job, is_final=is_final)
        if not is_final:
            _write_memory(job, instance)
            return Restored(instance, None)
        mark_spent(job.path, instance.epoch)
        with _can_go_on(job, instance._replace(condition=Condition.OPEN)), connection.begin():
            _write_memory(job, instance)
            opened = _set_open(connection, job)
    return Restored(opened, None)


def _filled_or_begun(connection: Connection, job: Restore, *, is_final: bool) -> Instance:
    if is_final:
        check_markable(job.path, job.examined.header)
        if job.examined.header.used_by is not None:
            return _instance_of(connection, job)
    check_empty(connection)
    return _fill(connection, job)


def _set_open(connection: Connection, job: Restore) -> Instance:
    keyring = job.open_keys(_key_rows(connection))
    opening = Ledger(connection, keyring.mac, job.now_ms)
    opening.set_condition(Condition.OPEN)
    return opening.close()


def _fill(connection: Connection, job: Restore) -> Instance:
    """Tables, rows and condition, inside the transaction that is open."""
    loader = Loader(connection)
    job.file.seek(len(job.examined.header.encoded()))

    def progress(_bytes: int) -> None:
        job.progress(loader.rows_loaded)

    seal = read_content(
        job.file, job.examined.header, job.identities, loader, str(job.path), progress
    )
    if seal != job.examined.seal:
        raise damaged(str(job.path), "it was changed while it was read")
    loader.end()
    migrate(connection)
    check_foreign_keys(connection)
    return _set_condition(connection, job)


def _set_condition(connection: Connection, job: Restore) -> Instance:
    """Make it another database than the one it was, and say whether it may be used."""
    keyring = job.open_keys(_key_rows(connection))
    closing_row = Ledger(connection, keyring.mac, job.now_ms)
    closing_row.set_server(server_with_tables(connection))
    tx = StoreRegistry(_transaction(connection, closing_row, keyring, job.now_ms))
    _say_restored(tx, job)
    why = job.why_quarantined()
    if why is not None:
        quarantine(tx, why, actor=job.actor, reason=job.reason)
    else:
        tx.new_epoch(recovered=False)
        if database_path(job.url) is None:
            tx.set_condition(Condition.QUARANTINED, MOVING)
        else:
            tx.set_condition(Condition.OPEN)
    return closing_row.close()


def _transaction(
    connection: Connection, closing_row: Ledger, keyring: Keyring, now_ms: int
) -> Transaction:
    return Transaction(connection, closing_row, keyring, keyring.mac, now_ms, os.urandom)


def _say_restored(tx: Registry, job: Restore) -> None:
    head = job.examined.head
    detail: Mapping[str, object] = {
        "backup": head.id,
        "made": moment(head.created_at_ms),
        "final": head.is_final,
        "epoch_before": head.epoch,
    }
    tx.record(Event("database.restored", job.actor, reason=job.reason, detail=detail))


def _key_rows(connection: Connection) -> Mapping[str, Sequence[Record]]:
    names = ("data_key", "key_slot")
    return {
        name: [dict(row) for row in connection.exec_driver_sql(f"SELECT * FROM {name}").mappings()]  # noqa: S608
        for name in names
    }


def _write_memory(job: Restore, instance: Instance) -> None:
    """The instance file; the database that was there may come back until this one is in use."""
    expected = None
    with suppress(OperatorError):
        memory = instancefile.read(job.instance_file)
        if instance.server is not None or not memory.is_copy:
            expected = memory if memory.epoch != instance.epoch else None
            expected = memory.expected or expected
    instancefile.write(job.instance_file, instance, expected)
