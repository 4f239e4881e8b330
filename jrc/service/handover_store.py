"""Rows of sealed files that were opened, as the store gives them."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol


class HandoverRecord(NamedTuple):
    """A row; times in ms since 1970. The order is that of its columns.

    ``builder`` is the identifier of the key that signed the file, ``digest`` the file's SHA-256.
    """

    id: int
    builder: bytes
    serial: str
    digest: bytes
    import_id: int
    row_count: int
    expires_at_ms: int
    opened_at_ms: int
    actor: str
    version: int = 1


class HandoverStore(Protocol):
    """The rows of sealed files that were opened."""

    def find(self, builder: bytes, serial: str) -> HandoverRecord | None:
        """The file of this builder with this serial, if it was opened.

        Raises:
            StateError: its row does not authenticate.
        """
        ...

    def builders(self, import_ids: Collection[int]) -> Mapping[int, bytes]:
        """Whose sealed file each of these imports was of, by the import's number; others are left
        out.

        Raises:
            StateError: a row does not authenticate.
        """
        ...

    def add(self, draft: HandoverRecord) -> None:
        """Write a new one, which gets its number here."""
        ...

    def page(self, *, after: int, limit: int) -> Sequence[HandoverRecord]:
        """Those after a number, in the order in which they were opened.

        Raises:
            StateError: a row does not authenticate.
        """
        ...
