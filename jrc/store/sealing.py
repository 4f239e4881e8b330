"""What seals the database: key slots and data keys, and how they are changed (docs/keys.md).

A slot's row has a MAC: whoever could put a public key of his own into one would be given the next
key encryption key.
"""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from typing import Any

import structlog
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from jrc.errors import ExitCode, JrcError, OperatorError, StateError
from jrc.model import Secret
from jrc.service.key_records import (
    FOR_EVERY_DAY,
    Course,
    DataKeyRecord,
    NewSlot,
    SlotKind,
    SlotRecord,
)
from jrc.store.engine import connected, lookup_engine
from jrc.store.keyfile import new_key
from jrc.store.keyring import (
    Keyring,
    OpenedKeys,
    Purpose,
    WrappedDataKey,
    new_data_keys,
    open_data_keys,
    wrap_data_key,
)
from jrc.store.keyslots import (
    RandomBytes,
    WrappedSlot,
    file_key_id,
    kek_id,
    open_slots,
    opened_by,
    wrap_slot,
)
from jrc.store.rotation import Rotation
from jrc.store.rowmac import RowMac
from jrc.store.schema import data_key, key_slot
from jrc.store.scope import Scope, draw_ids

_log = structlog.get_logger("jrc")

ANY_KIND = tuple(SlotKind)
ROTATED = tuple(purpose for purpose in Purpose if purpose is not Purpose.FINGERPRINT)
"""Not the fingerprints': those of wiped secrets can't be computed anew, and still tell that a key
was used before (row M3)."""


class Sealing:
    """As ``service.key_records.SealingStore``."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._connection = scope.connection

    # Slots

    def slots(self) -> list[SlotRecord]:
        """As ``SealingStore.slots``."""
        query = select(key_slot).order_by(key_slot.c.id)
        return [
            SlotRecord(row.name, SlotKind(row.kind), row.key_id, row.created_at_ms)
            for row in self._connection.execute(query)
        ]

    def slot_of(self, key: Secret) -> str | None:
        """As ``SealingStore.slot_of``."""
        slot = opened_by(key, read_slots(self._connection), ANY_KIND)
        return None if slot is None else slot.name

    def add(self, slot_key: Secret, slot: NewSlot) -> None:
        """As ``SealingStore.add``."""
        kek = open_slots(slot_key, read_slots(self._connection), kinds=ANY_KIND)
        self._insert([wrap_slot(slot, kek, self._scope.keyring.random)])

    def remove(self, name: str) -> None:
        """As ``SealingStore.remove``."""
        self._connection.execute(delete(key_slot).where(key_slot.c.name == name))
        self._scope.keyring.is_outdated = True  # for the pages that held it

    def _authentic(self) -> list[WrappedSlot]:
        """The slots.

        Raises:
            OperatorError: a row does not authenticate.
        """
        query = select(key_slot).order_by(key_slot.c.id)
        rows = self._connection.execute(query).mappings().all()
        for row in rows:
            if not self._scope.mac.is_intact(key_slot, row):
                raise OperatorError(
                    f"the key slot {row['name']} was changed past this program; it gets no new key",
                    f"run `jrc keys remove {row['name']}`, and add a slot anew",
                    exit_code=ExitCode.REFUSED,
                )
        return [_slot(row) for row in rows]

    def _insert(self, slots: Sequence[WrappedSlot]) -> None:
        insert_slots(self._connection, self._scope.mac, slots, self._scope.now_ms)

    # The key encryption key

    def rotate_kek(
        self, slot_key: Secret, others: Collection[Secret], replacement: Secret | None
    ) -> tuple[bytes, bytes]:
        """As ``SealingStore.rotate_kek``."""
        slots, random = self._authentic(), self._scope.keyring.random
        before = open_slots(slot_key, slots)
        after = new_key(random)
        fresh = _with_keys(slots, [slot_key, *others], {file_key_id(slot_key): replacement})
        self._rewrap(before, after)
        for slot in fresh:
            self._update(wrap_slot(slot, after, random))
        self._scope.keyring.is_outdated = True  # for the pages that held the old ones
        return kek_id(before), kek_id(after)

    def _rewrap(self, before: Secret, after: Secret) -> None:
        for number, (purpose, key) in open_data_keys(
            before, read_data_keys(self._connection)
        ).items():
            fresh = wrap_data_key(after, number, purpose, key, self._scope.keyring.random)
            self._connection.execute(
                update(data_key)
                .where(data_key.c.id == number)
                .values(kek_id=fresh.kek_id, wrapped=fresh.wrapped)
            )

    def _update(self, slot: WrappedSlot) -> None:
        query = select(key_slot).where(key_slot.c.name == slot.name)
        before = self._connection.execute(query).mappings().one()
        row = {**before, **_values(slot), "version": before["version"] + 1}
        sealed = self._scope.mac.seal(key_slot, row)
        self._connection.execute(
            update(key_slot).where(key_slot.c.id == before["id"]).values(sealed)
        )

    # Data keys

    def data_keys(self) -> list[DataKeyRecord]:
        """As ``SealingStore.data_keys``."""
        query = select(data_key).order_by(data_key.c.id)
        return [
            DataKeyRecord(row.id, row.purpose, row.created_at_ms, row.retired_at_ms)
            for row in self._connection.execute(query)
        ]

    def begin_rotation(self, slot_key: Secret) -> list[int]:
        """As ``SealingStore.begin_rotation``."""
        kek = open_slots(slot_key, read_slots(self._connection))
        known = [key.id for key in self.data_keys() if key.purpose in ROTATED]
        fresh = new_data_keys(
            kek, self._scope.keyring.random, first_id=self._highest() + 1, purposes=ROTATED
        )
        now_ms = self._scope.now_ms
        self._connection.execute(
            update(data_key).where(data_key.c.id.in_(known)).values(retired_at_ms=now_ms)
        )
        insert_data_keys(self._connection, fresh, now_ms)
        self._scope.keyring.is_outdated = True
        return known

    def _highest(self) -> int:
        """The highest id that ever was: a deleted key's must not come back under another key."""
        return max(key.id for key in self.data_keys())

    def rows_left(self, course: Course) -> int:
        """As ``SealingStore.rows_left``."""
        return self._rotation().rows_left(course)

    def rotate_rows(self, course: Course | None, most: int) -> Course:
        """As ``SealingStore.rotate_rows``."""
        self._require_current()
        return self._rotation().go_on(course, most)

    def _require_current(self) -> None:
        """Nothing, if the data keys in memory are those of the database.

        Raises:
            StateError: they are not: rows would be brought to keys that are to go.
        """
        if {key.id for key in self.data_keys()} != self._scope.keyring.ids:
            raise StateError("the data keys could not be read anew; see the log for the cause")

    def end_rotation(self, course: Course) -> list[int]:
        """As ``SealingStore.end_rotation``."""
        self._require_current()
        # The newest of a purpose stays, whatever its row says: nothing counts what hangs on it.
        newest = {self._scope.keyring.newest(purpose) for purpose in Purpose}
        old = [
            key.id
            for key in self.data_keys()
            if key.retired_at_ms is not None and key.id not in newest
        ]
        if not course.is_over or self._rotation().values_under(old) > course.unreadable:
            raise StateError("data keys that are in use are not deleted")
        self._connection.execute(delete(data_key).where(data_key.c.id.in_(old)))
        self._connection.execute(update(data_key).values(retired_at_ms=None))
        self._scope.keyring.is_outdated = True
        return old

    def _rotation(self) -> Rotation:
        return Rotation(self._connection, self._scope.keyring, self._scope.mac)


def _with_keys(
    slots: Sequence[WrappedSlot], keys: Sequence[Secret], instead: Mapping[bytes, Secret | None]
) -> list[NewSlot]:
    """The slots with what wraps them; ``instead`` has keys that replace others, by key id.

    Raises:
        OperatorError: the key of a slot is missing.
    """
    by_id = {file_key_id(key): key for key in keys}
    fresh = []
    for slot in slots:
        if slot.kind is SlotKind.RECOVERY:
            fresh.append(NewSlot(slot.name, slot.kind, public_key=slot.public_key))
        elif slot.key_id in by_id:
            key = instead.get(slot.key_id) or by_id[slot.key_id]
            fresh.append(NewSlot(slot.name, slot.kind, key=key))
        else:
            raise OperatorError(
                f"the slot {slot.name} needs its key file (key {slot.key_id.hex()}) to get the new"
                " key encryption key",
                f"name that file with --with FILE, or run `jrc keys remove {slot.name}` before",
                exit_code=ExitCode.REFUSED,
            )
    return fresh


def read_slots(connection: Connection) -> list[WrappedSlot]:
    """The slots as they stand in the database; what they hold authenticates itself."""
    query = select(key_slot).order_by(key_slot.c.id)
    return [_slot(row) for row in connection.execute(query).mappings()]


def _slot(row: Mapping[Any, Any]) -> WrappedSlot:
    return WrappedSlot(
        row["name"],
        SlotKind(row["kind"]),
        row["key_id"],
        row["public_key"],
        row["kek_id"],
        row["wrapped"],
    )


def read_data_keys(connection: Connection) -> list[WrappedDataKey]:
    """The data keys, oldest first.

    Raises:
        StateError: there are none.
    """
    query = select(data_key).order_by(data_key.c.id)
    rows = connection.execute(query).all()
    if not rows:
        raise StateError("the database holds no data keys")
    return [WrappedDataKey(row.id, Purpose(row.purpose), row.kek_id, row.wrapped) for row in rows]


def insert_slots(
    connection: Connection, mac: RowMac, slots: Sequence[WrappedSlot], now_ms: int
) -> None:
    """Write new slots."""
    numbers = draw_ids(connection, key_slot, len(slots))
    rows = [
        {"id": number, **_values(slot), "created_at_ms": now_ms, "version": 1}
        for number, slot in zip(numbers, slots, strict=True)
    ]
    connection.execute(insert(key_slot), [mac.seal(key_slot, row) for row in rows])


def _values(slot: WrappedSlot) -> dict[str, object]:
    return {
        "name": slot.name,
        "kind": slot.kind.value,
        "key_id": slot.key_id,
        "public_key": slot.public_key,
        "kek_id": slot.kek_id,
        "wrapped": slot.wrapped,
    }


def insert_data_keys(connection: Connection, keys: Sequence[WrappedDataKey], now_ms: int) -> None:
    """Write new data keys."""
    rows = [
        {
            "id": key.id,
            "purpose": key.purpose.value,
            "kek_id": key.kek_id,
            "wrapped": key.wrapped,
            "created_at_ms": now_ms,
            "retired_at_ms": None,
        }
        for key in keys
    ]
    connection.execute(insert(data_key), rows)


def open_keys(
    connection: Connection,
    slot_key: Secret,
    random: RandomBytes = os.urandom,
    kinds: Collection[SlotKind] = FOR_EVERY_DAY,
) -> Keyring:
    """The keyring of a database.

    Raises:
        OperatorError: ``slot_key`` opens no slot of one of ``kinds``.
        StateError: a data key does not authenticate.
    """
    kek = open_slots(slot_key, read_slots(connection), kinds=kinds)
    return Keyring(open_data_keys(kek, read_data_keys(connection)), random)


def key_reader(
    url: str, read_key: Callable[[], Secret], kinds: Collection[SlotKind]
) -> Callable[[frozenset[int]], OpenedKeys | None]:
    """As ``Keyring.read_again``: any thread may call what this gives."""

    def read(known: frozenset[int]) -> OpenedKeys | None:
        try:
            with closing(connected(lookup_engine(url))) as connection:
                keys = read_data_keys(connection)
                if known == {key.id for key in keys}:
                    return None
                return open_data_keys(
                    open_slots(read_key(), read_slots(connection), kinds=kinds), keys
                )
        except (DBAPIError, JrcError) as error:
            _log.error("data_keys_not_read", error=str(error))
            return None

    return read
