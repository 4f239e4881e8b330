"""Keys at rest as the use cases see them: slots, data keys, and how far a rotation has come."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from jrc.model import Secret


class SlotKind(StrEnum):
    """What opens a slot."""

    FILE = "file"
    """A key file, or a systemd credential with the same content: what a daemon starts with."""
    RECOVERY = "recovery"
    """A recovery identity that is kept offline; the database has its public half."""


FOR_EVERY_DAY = (SlotKind.FILE,)
"""What a registrar starts with."""


@dataclass(frozen=True, slots=True)
class NewSlot:
    """A slot to make: ``key`` of kind ``file``, or ``public_key`` (32 bytes) of ``recovery``."""

    name: str
    kind: SlotKind
    key: Secret | None = None
    public_key: bytes | None = None


@dataclass(frozen=True, slots=True)
class SlotRecord:
    """A slot; ``key_id`` names the key that opens it, 8 bytes."""

    name: str
    kind: SlotKind
    key_id: bytes
    created_at_ms: int


@dataclass(frozen=True, slots=True)
class DataKeyRecord:
    """A data key; ``retired_at_ms``: since when a newer one of its purpose wraps what is new."""

    id: int
    purpose: str
    created_at_ms: int
    retired_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Course:
    """How far a rotation of data keys has looked through the rows.

    ``newest`` are the ids of the data keys that rows are brought to: a course is of use for these
    alone. ``place`` counts the tables that are done, ``after`` is the last primary key looked at in
    the next one. ``unreadable`` values open under no data key, and ``damaged`` rows authenticate
    under none: they are left as they are.
    """

    newest: frozenset[int]
    place: int = 0
    after: tuple[object, ...] | None = None
    done: int = 0
    changed: int = 0
    unreadable: int = 0
    damaged: int = 0
    is_over: bool = False


class SealingStore(Protocol):
    """Slots, data keys, and the rows under them."""

    def slots(self) -> Sequence[SlotRecord]:
        """Every slot, oldest first."""
        ...

    def data_keys(self) -> Sequence[DataKeyRecord]:
        """Every data key, oldest first."""
        ...

    def slot_of(self, key: Secret) -> str | None:
        """The name of the slot that a key, or a recovery identity, opens."""
        ...

    def add(self, slot_key: Secret, slot: NewSlot) -> None:
        """Add a slot, with the key encryption key from the one that ``slot_key`` opens.

        Raises:
            OperatorError: it opens none.
        """
        ...

    def remove(self, name: str) -> None:
        """Delete a slot."""
        ...

    def rotate_kek(
        self, slot_key: Secret, others: Collection[Secret], replacement: Secret | None
    ) -> tuple[bytes, bytes]:
        """Draw a new key encryption key for all data keys and slots; the ids of old and new.

        ``replacement`` opens the slot of ``slot_key`` from then on, if it is given.

        Raises:
            OperatorError: a slot of kind ``file`` has a key that is not among those given, or a row
                of a slot does not authenticate.
        """
        ...

    def begin_rotation(self, slot_key: Secret) -> Sequence[int]:
        """Draw new data keys, which wrap what is new from the commit on; the ids of the old."""
        ...

    def rows_left(self, course: Course) -> int:
        """How many rows a course has not looked at, about."""
        ...

    def rotate_rows(self, course: Course | None, most: int) -> Course:
        """Bring up to ``most`` rows to the newest data keys, from where ``course`` has come to."""
        ...

    def end_rotation(self, course: Course) -> Sequence[int]:
        """Delete the data keys before the newest, after a course that is over; their ids.

        Raises:
            StateError: values that could be read are under one.
        """
        ...
