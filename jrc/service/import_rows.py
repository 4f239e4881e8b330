"""What a row of an import file is, before anybody has judged it.

No message repeats what stood in a field, for it may be a key in the wrong column.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

from jrc.service.wording import nearest

COLUMNS = (
    "pledge_id", "psk", "pledge_sender_key", "pledge_recipient_key", "common_iv", "network",
    "role", "label", "profile", "aead", "hkdf", "used_before",
)  # fmt: skip
"""Stable names; a row has ``psk``, or the three derived values, and may lack the others."""

MAX_ROW_BYTES = 65_536

_MAX_SHOWN_CHARACTERS = 24
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")


class Row(NamedTuple):
    """A row as it was read: line of its beginning, fields by column; empty ones are left out.

    ``is_whole`` is False where the file's header is wrong: fields are missing then, and the row is
    read for its mistakes alone.
    """

    line: int
    fields: Mapping[str, str]
    is_whole: bool = True


class RowError(NamedTuple):
    """A row, or a file, that can't be taken; ``column`` is empty where no single one is wrong."""

    line: int
    column: str
    reason: str
    hint: str = ""


Read = Iterator[Row | RowError]


class Reader(Protocol):
    """Takes a file's bytes as they arrive, keeping no more of them than one row."""

    def feed(self, data: bytes) -> Read:
        """The rows and faults that are complete now."""
        ...

    def finish(self) -> Read:
        """What the end of the file completes."""
        ...


def unknown_column(name: str) -> str:
    """Says that a column is unknown; what may be a key in the place of a name is not repeated."""
    if len(name) > _MAX_SHOWN_CHARACTERS or not name.isprintable() or set(name) <= _HEX_DIGITS:
        return "a column has a name that is unknown"
    return f"unknown column {name!r}{nearest(name, COLUMNS)}"


def too_long() -> str:
    """Says that a row goes on and on."""
    return f"the row has more than {MAX_ROW_BYTES} bytes"
