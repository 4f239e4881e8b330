"""From a backup to a database that a daemon may open: all of it, or nothing.

A file is built under another name, its condition committed with its rows, and gets its name last:
a process that dies before leaves nothing that a daemon would start with. A server's database is
filled in one transaction.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError

from jrc.errors import ExitCode, OperatorError, StateError
from jrc.model import Condition, Event, Secret
from jrc.service.recover import quarantine
from jrc.service.registry import Registry
from jrc.store import instancefile
from jrc.store.backup.container import damaged, mark_spent
from jrc.store.backup.content import read_content
from jrc.store.backup.examine import Examined
from jrc.store.backup.keys import OpenKeys, Record
from jrc.store.backup.load import Loader
from jrc.store.backup.restored import RestoredFinals
from jrc.store.database import Transaction
from jrc.store.engine import create_private_file, database_path, writer_engine
from jrc.store.keyring import Keyring
from jrc.store.ledger import Instance, Ledger
from jrc.store.lock import StateLock
from jrc.store.migrate import check_foreign_keys, foreign_keys_off, migrate
from jrc.store.postgresql import said_by
from jrc.store.registry import StoreRegistry
from jrc.store.server import server_of
from jrc.store.syncing import sync

ENDS = ("", "-wal", "-shm")
"""What SQLite puts beside a database's file."""
_BUILT_AS = ".restoring"


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
        why = self.finals.why_not_open(self.examined.header, head, self.now_ms)
        if why is None and self.as_ordinary:
            why = "that was asked for"
        if why is None:
            return None
        made = f"restored from the backup of {moment(head.created_at_ms)}"
        return made if not head.is_final else f"{made}: {why}"


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


def check_target(url: str, *, replaces: bool) -> None:
    """Nothing, if there is room for a database.

    Raises:
        OperatorError: there is one, and it may not be replaced.
    """
    path = database_path(url)
    if path is None:
        with _connected(url) as connection, connection.begin():
            _check_empty(connection)
    elif not replaces and os.path.lexists(path):
        raise OperatorError(
            f"database.url: {path} exists; nothing was changed",
            "say --replace to move it aside, or name another file under [database]",
            exit_code=ExitCode.REFUSED,
        )


def restore(job: Restore) -> Restored:
    """Make the database of ``job``; it is whole and on disk when this returns.

    Raises:
        OperatorError: there is one in the way, the backup changed meanwhile, or it can't be
            written; nothing is left then.
    """
    path = database_path(job.url)
    if path is None:
        return _into_server(job)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with StateLock(path):
            check_target(job.url, replaces=job.replaces)
            return _into_file(job, path)
    except OSError as error:
        raise OperatorError(
            f"{error.filename or path} can't be written ({error.strerror})",
            "no database was made that a daemon would take",
        ) from None


def _into_file(job: Restore, path: Path) -> Restored:
    building = path.with_name(path.name + _BUILT_AS)
    _remove(building)
    create_private_file(building)
    try:
        with (
            _connected(f"sqlite:///{building}") as connection,
            foreign_keys_off(connection),
            connection.begin(),
        ):
            instance = _fill(connection, job)
        _settle(building)
        _before_use(job, instance)
        aside = _move_aside(path, job.now_ms)
        _write_memory(job, instance)
        os.rename(building, path)
        sync(path.parent)
    finally:
        _remove(building)
    return Restored(instance, aside)


def _into_server(job: Restore) -> Restored:
    with _connected(job.url) as connection, connection.begin():
        _check_empty(connection)
        instance = _fill(connection, job)
        _before_use(job, instance)
        _write_memory(job, instance)
    return Restored(instance, None)


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    try:
        with writer_engine(url).connect() as connection:
            yield connection
    except DBAPIError as error:
        raise OperatorError(
            f"database.url: the database can't be made ({said_by(error)})",
            "no database was made that a daemon would take",
        ) from None


def _check_empty(connection: Connection) -> None:
    if inspect(connection).get_table_names():
        raise OperatorError(
            "database.url: the database on the server has tables; nothing was changed",
            "make a new one (`createdb`) and name it under [database]",
            exit_code=ExitCode.REFUSED,
        )


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
    ledger = Ledger(connection, keyring.mac, job.now_ms)
    ledger.set_server(server_of(connection))
    tx = StoreRegistry(_transaction(connection, ledger, keyring, job.now_ms))
    _say_restored(tx, job)
    why = job.why_quarantined()
    if why is not None:
        quarantine(tx, why, actor=job.actor, reason=job.reason)
    else:
        tx.new_epoch(recovered=False)
        tx.set_condition(Condition.OPEN)
    return ledger.close()


def _transaction(
    connection: Connection, ledger: Ledger, keyring: Keyring, now_ms: int
) -> Transaction:
    return Transaction(connection, ledger, keyring, keyring.mac, now_ms, os.urandom)


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


def _before_use(job: Restore, instance: Instance) -> None:
    """Let backup and host say that a final backup was restored, before anybody can use it."""
    if instance.condition == Condition.OPEN:
        mark_spent(job.path)
        job.finals.add(job.examined.head, job.now_ms)


def _write_memory(job: Restore, instance: Instance) -> None:
    """The instance file; a quarantined database lets the one that was there come back."""
    expected = None
    with suppress(OperatorError):
        if instance.condition != Condition.OPEN:
            memory = instancefile.read(job.instance_file)
            expected = memory.expected or memory
    instancefile.write(job.instance_file, instance, expected)


def _move_aside(path: Path, now_ms: int) -> Path | None:
    """Where what was at ``path`` is now; the file that names the database goes first."""
    stamp = f"{datetime.fromtimestamp(now_ms // 1000, UTC):%Y%m%dT%H%M%SZ}"
    aside = path.with_name(f"{path.name}.before-restore-{stamp}")
    if os.path.lexists(aside):
        raise OperatorError(f"{aside} exists; nothing was changed", "try again in a second")
    found = [end for end in ENDS if os.path.lexists(f"{path}{end}")]
    for end in found:
        os.rename(f"{path}{end}", f"{aside}{end}")
    sync(path.parent)
    return aside if "" in found else None


def _settle(building: Path) -> None:
    """Everything in the one file, and that on disk.

    Raises:
        StateError: SQLite has left a part of it beside the file.
    """
    if any(os.path.lexists(f"{building}{end}") for end in ENDS[1:]):
        raise StateError(f"{building} was not written out when it was closed")
    sync(building)


def _remove(building: Path) -> None:
    for end in ENDS:
        Path(f"{building}{end}").unlink(missing_ok=True)
