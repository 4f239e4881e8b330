"""What every transaction leaves behind: a commit number, and events in a hash chain.

The one row of ``instance`` names the database and holds the head of the chain; it is read at the
beginning of each write transaction and written at its end, under its MAC.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Connection, Executable, bindparam, insert, select, update

from jrc.errors import ExitCode, OperatorError, StateError
from jrc.model import Condition as Condition
from jrc.model import Event
from jrc.service.event_chain import GENESIS_HASH, detail_text, event_hash
from jrc.service.records import DatabaseState
from jrc.store.prepared import Prepared, PreparedRows
from jrc.store.rowmac import RowMac
from jrc.store.schema import event, instance

EPOCH_BYTES = 16


class Instance(NamedTuple):
    """The row of ``instance``: identity, condition and progress of this database.

    ``condition_detail`` says why it is in its condition. ``incarnation`` counts recoveries.
    ``event_floor`` is the number of the last event that retention has removed, and
    ``event_floor_hash`` its hash, from which the chain goes on. ``server`` names the PostgreSQL
    server and its timeline, None with SQLite.
    """

    epoch: bytes
    created_at_ms: int
    commit_number: int
    event_number: int
    event_hash: bytes
    policy_revision: int
    clock_high_water_ms: int
    condition: str
    condition_since_ms: int
    condition_detail: str
    incarnation: int
    event_floor: int
    event_floor_hash: bytes
    server: str | None
    version: int

    def values(self) -> tuple[int | bytes | str | None, ...]:
        """What the MAC covers."""
        return (1, *self)

    def state(self) -> DatabaseState:
        """What the use cases need of it."""
        return DatabaseState(
            condition=Condition(self.condition),
            since_ms=self.condition_since_ms,
            detail=self.condition_detail,
            incarnation=self.incarnation,
            epoch=self.epoch,
        )


_NAMES = ["epoch", *Instance._fields[2:], "mac"]
_SELECT = Prepared(
    select(*(instance.c[name] for name in (*Instance._fields, "mac")))
    .where(instance.c.id == bindparam("b_id"))
    .with_for_update(),
    ["b_id"],
)
_UPDATE = Prepared(
    update(instance)
    .values({instance.c[name]: bindparam(f"b_{name}") for name in _NAMES})
    .where(instance.c.id == bindparam("b_id")),
    [*(f"b_{name}" for name in _NAMES), "b_id"],
)
_OF_EVENT = [column.name for column in event.columns]


def _inserting(listed: Sequence[Sequence[str]]) -> Executable:
    rows: list[dict[str, BindParameter[Any]]] = [
        {name: bindparam(key) for name, key in zip(_OF_EVENT, keys, strict=True)} for keys in listed
    ]
    return insert(event).values(rows).inline()


_INSERT_EVENT = PreparedRows(_inserting, _OF_EVENT)


def create(
    connection: Connection, mac: RowMac, epoch: bytes, now_ms: int, server: str | None = None
) -> Instance:
    """The first row of a new database; ``server`` is where it is, None with SQLite."""
    row = Instance(
        epoch=epoch,
        created_at_ms=now_ms,
        commit_number=0,
        event_number=0,
        event_hash=GENESIS_HASH,
        policy_revision=0,
        clock_high_water_ms=now_ms,
        condition=Condition.OPEN.value,
        condition_since_ms=now_ms,
        condition_detail="",
        incarnation=0,
        event_floor=0,
        event_floor_hash=GENESIS_HASH,
        server=server,
        version=1,
    )
    mac_of_row = mac.compute("instance", row.values())
    connection.execute(insert(instance).values(id=1, mac=mac_of_row, **row._asdict()))
    return row


def read(connection: Connection, mac: RowMac) -> Instance:
    """The row as it is, locked where the database can lock rows.

    Raises:
        StateError: it is missing or its MAC does not fit.
    """
    rows = _SELECT.rows(connection, (1,))
    if not rows:
        raise StateError("the database has no instance row")
    row = rows[0]
    current = Instance(*row[:-1])
    if not mac.fits("instance", current.values(), row[-1], at_once=True):
        raise StateError("the instance row does not authenticate: the database was damaged")
    return current


def not_older(found: Instance, known: Instance) -> Instance:
    """``found``, as it stands on disk now, for a process that has seen ``known``.

    Raises:
        StateError: it is older: the database went back under the process.
    """
    if found.commit_number < known.commit_number:
        raise StateError(
            f"the database went back from commit {known.commit_number} to"
            f" {found.commit_number} while it was in use: an old copy was put in its place"
        )
    return found


class Ledger:
    """Collects a transaction's events and closes it with one write of the instance row."""

    def __init__(self, connection: Connection, mac: RowMac, now_ms: int) -> None:
        self._connection = connection
        self._mac = mac
        self._now_ms = now_ms
        self._events: list[Event] = []
        self._policy_changed = False
        self.instance = read(connection, mac)
        self._found = self.instance.condition

    def record(self, *events: Event) -> None:
        """Add events; they get their numbers and hashes when the transaction closes."""
        self._events += events

    def policy_changed(self) -> None:
        """Networks, keys or admissions changed: other readers must look again."""
        self._policy_changed = True

    def set_condition(self, condition: Condition, detail: str = "") -> None:
        """Say whether the database may be used from this transaction on, and in ``detail`` why.

        It is in ``instance`` at once and on disk with the commit. Every reader looks again.
        """
        self.instance = self.instance._replace(
            condition=condition.value, condition_since_ms=self._now_ms, condition_detail=detail
        )
        self.policy_changed()

    def set_epoch(self, epoch: bytes, *, recovered: bool) -> None:
        """Make it another database than every copy of it that was made so far.

        Whoever remembers the old epoch takes it for a stranger. ``recovered`` counts one more
        incarnation: what was done to recover from an earlier one (a key domain's fresh keys) does
        not count for this one. A planned move keeps the incarnation.
        """
        if len(epoch) != EPOCH_BYTES:
            raise StateError(f"an epoch has {EPOCH_BYTES} bytes, not {len(epoch)}")
        self.instance = self.instance._replace(
            epoch=epoch, incarnation=self.instance.incarnation + recovered
        )

    def set_server(self, server: str | None) -> None:
        """Say which PostgreSQL server and timeline the database is on from now on."""
        self.instance = self.instance._replace(server=server)

    def raise_floor(self, number: int, hash_: bytes) -> None:
        """The audit log begins after this event, whose hash goes on with the chain.

        Raises:
            StateError: it begins later already, or there was no such event.
        """
        if not self.instance.event_floor <= number <= self.instance.event_number:
            raise StateError(f"the audit log can't begin after event {number}")
        self.instance = self.instance._replace(event_floor=number, event_floor_hash=hash_)

    def close(self) -> Instance:
        """Write events and instance row; what comes back is in force once the commit is done.

        Raises:
            OperatorError: the database was moved, and goes on elsewhere.
        """
        before = self.instance
        if before.condition == self._found == Condition.MOVED:
            raise moved_error(before)
        rows, head = chain(self._events, before.event_number, before.event_hash, self._now_ms)
        _INSERT_EVENT.many(self._connection, rows)
        after = before._replace(
            commit_number=before.commit_number + 1,
            event_number=before.event_number + len(rows),
            event_hash=head,
            policy_revision=before.policy_revision + self._policy_changed,
            clock_high_water_ms=max(before.clock_high_water_ms, self._now_ms),
            version=before.version + 1,
        )
        self._write(after)
        self.instance = after
        return after

    def _write(self, row: Instance) -> None:
        values = row.values()
        mac = self._mac.compute("instance", values)
        _UPDATE.many(self._connection, [(row.epoch, *values[3:], mac, 1)])


def moved_error(instance: Instance) -> OperatorError:
    """What whoever wants to change a database is told that goes on elsewhere."""
    return OperatorError(
        f"this database was moved: {instance.condition_detail or 'its final backup was made'}",
        "use the registrar on the host it was moved to; if it was never restored there,"
        " `jrc quarantine` and then `jrc recover` bring this one back",
        exit_code=ExitCode.REFUSED,
    )


def chain(
    events: Iterable[Event], number: int, head: bytes, at_ms: int
) -> tuple[list[tuple[object, ...]], bytes]:
    """Rows for ``events`` that follow ``number`` and ``head``, and the new head of the chain.

    Each row is a tuple in the order of the table's columns.
    """
    rows: list[tuple[object, ...]] = []
    for entry in events:
        number += 1
        detail = detail_text(entry.detail)
        fields = (
            number, at_ms, entry.kind, entry.pledge, entry.network, entry.actor, entry.reason,
            detail,
        )  # fmt: skip
        head = event_hash(head, fields)
        rows.append((*fields, head))
    return rows, head
