"""Rows of device identities, as the store gives them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Origin(StrEnum):
    """How a credential came to the registrar."""

    SERIAL = "serial"
    """Read from the device while it was flashed."""
    FILE = "file"
    API = "api"
    """By a program of the operator's."""
    OPERATOR = "operator"
    """By a person's command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityRecord:
    """A row; times in ms since 1970. Of a ``damaged`` one nothing counts but its number."""

    id: int = 0
    identifier: bytes
    credential: bytes
    thumbprint: bytes
    provenance: Origin
    place: str
    recorded_at_ms: int
    superseded_at_ms: int | None = None
    version: int = 1
    damaged: bool = False


class IdentityStore(Protocol):
    """The rows of identities. What was damaged is said in the log, once in a process."""

    def in_force(self, identifiers: Collection[bytes]) -> Mapping[bytes, IdentityRecord]:
        """Those in force by device; they may be ``damaged``."""
        ...

    def holders(self, thumbprints: Collection[bytes]) -> Mapping[bytes, IdentityRecord]:
        """Those in force by the key that they show; they may be ``damaged``."""
        ...

    def history(self, identifier: bytes) -> Sequence[IdentityRecord]:
        """All that a device has and had, oldest first, damaged ones left out."""
        ...

    def page(self, *, after: bytes | None, limit: int) -> Sequence[IdentityRecord]:
        """Those in force in the order of devices, after one if given; they may be ``damaged``."""
        ...

    def add(self, draft: IdentityRecord) -> None:
        """Write a new one, which gets its number here."""
        ...

    def supersede(self, record: IdentityRecord) -> None:
        """Let one be in force no more; a damaged one stays damaged."""
        ...
