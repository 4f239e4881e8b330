"""The operator's hand on the keys that seal the database: slots, and changing keys (docs/keys.md).

What is recorded names slots and keys by their ids, which give nothing away.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from jrc.errors import ExitCode, OperatorError
from jrc.model import Event, Secret
from jrc.service.key_records import Course, DataKeyRecord, NewSlot, SlotRecord
from jrc.service.registry import Registry
from jrc.service.wording import utc_text

ROWS_AT_A_TIME = 100
"""Rows that one transaction of a rotation looks at; a join waits for one such at most."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_RECOVERY_HINT = "make one that is kept offline: jrc keys add recovery paper"


@dataclass(frozen=True, slots=True)
class SlotReport:
    """A slot as listings show it. ``opens_here``: its key is the one this host starts with."""

    name: str
    kind: str
    key_id: str
    created: str | None
    opens_here: bool


@dataclass(frozen=True, slots=True)
class DataKeyReport:
    """A data key; ``retired`` while rows are being brought to a newer one."""

    id: int
    purpose: str
    created: str | None
    retired: str | None


@dataclass(frozen=True, slots=True)
class KeysReport:
    """Slots and data keys; ``warnings`` are for a person, a sentence each."""

    slots: tuple[SlotReport, ...]
    data_keys: tuple[DataKeyReport, ...]
    is_rotating: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RotationReport:
    """How far a rotation of data keys has come, in rows.

    ``unreadable`` values and ``damaged`` rows authenticate under no key and stay as they are.
    """

    is_over: bool
    done: int
    left: int
    changed: int
    unreadable: int
    damaged: int


def show_keys(tx: Registry, slot_key: Secret | None) -> KeysReport:
    """The slots and data keys; ``slot_key`` is what this host would start with, if it has it."""
    here = None if slot_key is None else tx.sealing.slot_of(slot_key)
    slots, keys = tx.sealing.slots(), tx.sealing.data_keys()
    return KeysReport(
        tuple(_slot(each, here) for each in slots),
        tuple(_data_key(each) for each in keys),
        _is_rotating(keys),
        tuple(slot_warnings(slots, has_one_here=here is not None, keys=keys)),
    )


def slot_warnings(
    slots: Collection[SlotRecord],
    *,
    has_one_here: bool = True,
    keys: Collection[DataKeyRecord] = (),
) -> list[str]:
    """What is to be said of the slots, a sentence each."""
    found = []
    if len(slots) == 1:
        only = next(iter(slots))
        found.append(
            f"{only.name} is the only key slot: if its key is lost, so are all stored keys;"
            f" {_RECOVERY_HINT}"
        )
    if not has_one_here:
        found.append(
            "the key of this host opens no slot: it can't be started again; put the right key file"
            " in place, or run `jrc keys restore`"
        )
    if _is_rotating(keys):
        found.append(
            "rows are still being brought to new data keys; finish it: jrc keys rotate --data"
        )
    return found


def key_warnings(tx: Registry) -> list[str]:
    """What is to be said of the keys that seal the database, a sentence each."""
    return slot_warnings(tx.sealing.slots(), keys=tx.sealing.data_keys())


def add_slot(
    tx: Registry, slot_key: Secret, slot: NewSlot, *, actor: str, reason: str = ""
) -> KeysReport:
    """Let a further key open the database.

    Raises:
        OperatorError: the name is taken or none, the key has a slot, or ``slot_key`` opens none.
    """
    _check_new(tx, slot)
    tx.sealing.add(slot_key, slot)
    _record(tx, "keys.slot_added", actor, reason, slot=slot.name, slot_kind=slot.kind.value)
    return show_keys(tx, slot_key)


def _check_new(tx: Registry, slot: NewSlot) -> None:
    if not _NAME.fullmatch(slot.name):
        raise OperatorError(
            f"{slot.name[:64]!r} is no name of a slot",
            "use small letters, digits, '.', '_' and '-': paper, safe-2",
            exit_code=ExitCode.USAGE,
        )
    if any(each.name == slot.name for each in tx.sealing.slots()):
        raise OperatorError(
            f"there is a slot {slot.name} already",
            f"choose another name, or run `jrc keys remove {slot.name}` before",
            exit_code=ExitCode.REFUSED,
        )
    if slot.key is not None and (other := tx.sealing.slot_of(slot.key)) is not None:
        raise OperatorError(
            f"this key opens the slot {other} already; nothing was changed",
            exit_code=ExitCode.REFUSED,
        )


def remove_slot(
    tx: Registry, name: str, slot_key: Secret, *, actor: str, reason: str = ""
) -> KeysReport:
    """Let a key open the database no more.

    Raises:
        OperatorError: there is no such slot, or it is the one that this host starts with, which is
            the last that can be used here.
    """
    if all(each.name != name for each in tx.sealing.slots()):
        known = ", ".join(each.name for each in tx.sealing.slots())
        raise OperatorError(f"there is no slot {name[:64]!r}", f"there are: {known}")
    here = tx.sealing.slot_of(slot_key)
    if here in (None, name):
        what = f"{name} is the slot that this registrar starts with"
        raise OperatorError(
            what if here else "the key of this host opens no slot: no other can be spared",
            "give it another key with `jrc keys rotate --file NEWFILE`, or add a slot with"
            " `jrc keys add file` and name its file in the config first",
            exit_code=ExitCode.REFUSED,
        )
    tx.sealing.remove(name)
    _record(tx, "keys.slot_removed", actor, reason, slot=name)
    return show_keys(tx, slot_key)


def rotate_kek(
    tx: Registry,
    slot_key: Secret,
    *,
    others: Collection[Secret] = (),
    replacement: Secret | None = None,
    actor: str,
    reason: str = "",
) -> KeysReport:
    """Draw a new key encryption key, and wrap all data keys under it and it into all slots.

    Whoever has the old one, or the replaced key of a slot, opens nothing that is written from then
    on; old copies of the database still open with them.

    Raises:
        OperatorError: a slot's key is missing, or ``replacement`` opens a slot already.
    """
    if replacement is not None and tx.sealing.slot_of(replacement) is not None:
        raise OperatorError(
            "the new key opens a slot already: it would be no change",
            "let `jrc keys rotate --file NEWFILE` make a new one",
            exit_code=ExitCode.REFUSED,
        )
    before, after = tx.sealing.rotate_kek(slot_key, others, replacement)
    _record(
        tx,
        "keys.rotated",
        actor,
        reason,
        before=before.hex(),
        after=after.hex(),
        slot_replaced=replacement is not None,
    )
    return show_keys(tx, replacement or slot_key)


def restore_slot(
    tx: Registry, identity: Secret, slot: NewSlot, *, actor: str, reason: str = ""
) -> KeysReport:
    """A new key for a slot whose key is lost, or a slot of a new name, by another slot's key.

    Raises:
        OperatorError: ``identity`` is the key of that slot itself, or of none.
    """
    if tx.sealing.slot_of(identity) == slot.name:
        raise OperatorError(
            f"the key of the slot {slot.name} is not lost: it was given",
            "put its file in place, or name another slot with --name NAME",
            exit_code=ExitCode.REFUSED,
        )
    if any(each.name == slot.name for each in tx.sealing.slots()):
        tx.sealing.remove(slot.name)
    _check_new(tx, slot)
    tx.sealing.add(identity, slot)
    assert slot.key is not None
    _record(tx, "keys.slot_restored", actor, reason, slot=slot.name)
    return show_keys(tx, slot.key)


def begin_rotation(tx: Registry, slot_key: Secret, *, actor: str, reason: str = "") -> bool:
    """Draw new data keys, if no rotation is under way; whether they were drawn."""
    if _is_rotating(tx.sealing.data_keys()):
        return False
    old = tx.sealing.begin_rotation(slot_key)
    _record(tx, "keys.data_rotation_begun", actor, reason, old=list(old))
    return True


def go_on_rotating(
    tx: Registry, course: Course | None, *, actor: str, reason: str = ""
) -> tuple[Course | None, RotationReport]:
    """One transaction's part of bringing rows to the newest data keys; the last deletes the old.

    The course is None when all is done: the next rotation begins at the front.
    """
    if not _is_rotating(tx.sealing.data_keys()):
        return None, RotationReport(True, 0, 0, 0, 0, 0)
    if course is None or not course.is_over:
        course = tx.sealing.rotate_rows(course, ROWS_AT_A_TIME)
        left = tx.sealing.rows_left(course)
        return course, _progress(course, left)
    old = tx.sealing.end_rotation(course)
    tx.policy_changed()  # so that other registrars on the database drop them too
    _record(
        tx,
        "keys.data_rotated",
        actor,
        reason,
        old=list(old),
        changed=course.changed,
        damaged=course.damaged + course.unreadable,
    )
    return None, replace(_progress(course, 0), is_over=True)


def _progress(course: Course, left: int) -> RotationReport:
    return RotationReport(
        False, course.done, left, course.changed, course.unreadable, course.damaged
    )


def _is_rotating(keys: Collection[DataKeyRecord]) -> bool:
    return any(key.retired_at_ms is not None for key in keys)


def _slot(record: SlotRecord, here: str | None) -> SlotReport:
    return SlotReport(
        record.name,
        record.kind.value,
        record.key_id.hex(),
        utc_text(record.created_at_ms),
        record.name == here,
    )


def _data_key(record: DataKeyRecord) -> DataKeyReport:
    return DataKeyReport(
        record.id, record.purpose, utc_text(record.created_at_ms), utc_text(record.retired_at_ms)
    )


def _record(tx: Registry, kind: str, actor: str, reason: str, **detail: object) -> None:
    tx.record(Event(kind, actor, reason=reason, detail=detail))
