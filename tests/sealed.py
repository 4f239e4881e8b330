"""A database with rows of many kinds, and the change of the keys that seal it."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from sqlalchemy import func, select

from jrc.model import Admission, Secret
from jrc.policy.scopes import Scope as TokenScope
from jrc.service.enroll import remove_pledge
from jrc.service.handovers import Handover, mark_opened
from jrc.service.identities import Sighting, record
from jrc.service.identity_store import Origin
from jrc.service.join_ports import RecoveryRun
from jrc.service.key_records import Course
from jrc.service.key_slots import RotationReport, begin_rotation, go_on_rotating
from jrc.service.records import InstallationRecord, PledgeChange
from jrc.service.registry import Registry
from jrc.service.rollover_records import RolloverCause
from jrc.service.rollover_wishes import want_rollover
from jrc.service.tokens import add_token
from jrc.service.windows import OpenWindow, open_window
from jrc.store.database import Database
from jrc.store.keyring import wrapping_key
from jrc.store.recovery_runs import begin_run
from jrc.store.rotation import SEALED, WRAPPED, Rotation
from jrc.store.schema import data_key
from jrc.store.scope import Scope
from jrc.store.transaction import ReadTransaction, Transaction
from tests.desk import ACTOR, KEK, NOW_MS, Desk, pledge_id
from tests.identities import credential
from tests.joining import hall_at
from tests.rollovers import Floor

BEEF = bytes.fromhex("a10542beef")


def furnish(floor: Floor) -> None:
    """Joined nodes, a rollover, a window with somebody in it, wiped secrets, two networks."""
    desk = floor.desk
    for number in (1, 2, 3):
        floor.join(number)
    floor.join(4, role=1)
    floor.start()
    desk.network("hall", b"\xbe\xef", admission=Admission.WINDOW, join_rate_bytes_per_s=20)
    window = OpenWindow(network="hall", for_s=600, max_pledges=5)
    desk.write(lambda tx: open_window(tx, window, actor=ACTOR))
    floor.hall.join(floor.hall.enroll(5, networks=("hall",)), BEEF)
    floor.hall.enroll(6, networks=("lab",))
    desk.write(lambda tx: remove_pledge(tx, pledge_id(6), actor=ACTOR))
    desk.write(_begin_more)
    desk.database.write(_begin_recovery, NOW_MS)


def _begin_more(tx: Registry) -> None:
    """An installer that has tried, a token, an identity, a sealed file, half an import."""
    add_token(tx, "ci", TokenScope.IMPORT, expires_in_s=None, actor=ACTOR)
    shown = Sighting(
        identifier=pledge_id(1), credential=credential(1), provenance=Origin.SERIAL, place="tty"
    )
    record(tx, shown, actor=ACTOR)
    tx.installations.save(InstallationRecord(network_id=1, installer="radio", failures=1))
    want_rollover(tx, 1, cause=RolloverCause.OPERATOR, actor=ACTOR)
    change = PledgeChange(
        pledge_id=2,
        role=0,
        label="renamed",
        profile=None,
        network_ids=(1,),
        material=None,
        provenance="import",
        source="file",
    )
    number = tx.imports.begin("file", ACTOR, "")
    tx.imports.change(number, change, pledge_id(2).value, waits=False)
    file = Handover(bytes(16), "batch-7", bytes(32), NOW_MS)
    mark_opened(tx, file, import_id=number, rows=1, actor=ACTOR, reason="")


def _begin_recovery(tx: Transaction) -> None:
    """RFC 8613 App. B.2, whose request #2 is awaited."""
    scope = Scope(tx.connection, tx.keyring, tx.mac, NOW_MS)
    begin_run(scope, RecoveryRun(bytes(16), 2, 7, bytes(16), b"answer", bytes(16), NOW_MS))


def begin(desk: Desk, key: Secret = KEK) -> bool:
    """New data keys."""
    return desk.write(lambda tx: begin_rotation(tx, key, actor=ACTOR))


def go_on(desk: Desk, course: Course | None = None, *, most: int | None = None) -> RotationReport:
    """Bring rows to the newest data keys: all of them, or what ``most`` transactions do."""
    while True:
        course, report = desk.write(partial(go_on_rotating, course=course, actor=ACTOR))
        most = None if most is None else most - 1
        if report.is_over or most == 0:
            return report


def rotate(desk: Desk) -> RotationReport:
    """All rows under new data keys."""
    begin(desk)
    return go_on(desk)


class Whole:
    """What is amiss in a database: values that don't open, rows that don't authenticate."""

    def __init__(self, tx: ReadTransaction) -> None:
        self._tx = tx
        self._rotation = Rotation(tx.connection, tx.keyring, tx.mac)
        self.amiss: list[str] = []
        self.values = 0
        self.sealed: set[str] = set()
        self._values()
        self._rows()

    def _values(self) -> None:
        for column in WRAPPED.values():
            table = column.table
            for number, wrapped in self._tx.connection.execute(select(table.c.id, column)):
                if wrapped:
                    self.values += 1
                    self._tx.keyring.unwrap(table.name, number, column.name, 1, wrapped)

    def _rows(self) -> None:
        for table in SEALED:
            rows = self._tx.connection.execute(select(table)).mappings().all()
            details = self._rotation._details(table, rows)
            for row in rows:
                self.sealed.add(table.name)
                given = details.get(row.get("id", 0), ([],)) if table.name in _DETAILED else ()
                if not self._tx.mac.is_intact(table, row, *given):
                    self.amiss.append(f"{table.name} {row}")


_DETAILED = ("pledge", "network", "key_generation")


def look(database: Database) -> Whole:
    """All of it."""
    with database.read(NOW_MS) as tx:
        return Whole(tx)


def keys_of_values(desk: Desk) -> set[int]:
    """Ids of the data keys that values are wrapped by."""
    found: set[int] = set()
    with desk.database.read(desk.now_ms) as tx:
        for column in WRAPPED.values():
            found |= {
                wrapping_key(value) for value in tx.connection.scalars(select(column)) if value
            }
    return found


def count_of_keys(desk: Desk) -> int:
    with desk.database.read(desk.now_ms) as tx:
        return tx.connection.scalar(select(func.count()).select_from(data_key)) or 0


def joins_on(desk: Desk, floor: Floor, number: int = 1) -> None:
    """A device that has joined before joins again on ``desk``, which may be a copy's."""
    with hall_at(desk) as hall:
        hall.join(floor.pledges[number])


class Copied(Desk):
    """The desk of a process that was killed: what is on disk now, under another roof."""

    def __init__(self, of: Desk, folder: Path, key: Secret = KEK) -> None:
        folder.mkdir()
        for path in of.path.parent.glob("jrc.db*"):
            if not path.name.endswith("-shm"):
                shutil.copy(path, folder / path.name)
        self.path = folder / "jrc.db"
        self.url = f"sqlite:///{self.path}"
        self.now_ms = of.now_ms
        self.on_server = False
        self.database = Database.open(self.url, key)


@contextmanager
def copied_at_commits(
    desk: Desk, folder: Path, key: Callable[[], Secret]
) -> Iterator[list[Copied]]:
    """Copies of the database as a kill right before and right after each commit would leave it."""
    copies: list[Copied] = []
    commit = desk.database.writer.commit

    def copying(transaction: object) -> None:
        copies.append(Copied(desk, folder / f"{len(copies)}", key()))
        commit(transaction)  # type: ignore[arg-type]
        copies.append(Copied(desk, folder / f"{len(copies)}", key()))

    desk.database.writer.commit = copying  # type: ignore[method-assign]
    try:
        yield copies
    finally:
        desk.database.writer.commit = commit  # type: ignore[method-assign]
        for copy in copies:
            with closing(copy):
                pass
