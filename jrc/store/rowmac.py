"""A MAC over the rows that decide about security.

SQLite's own integrity check does not notice half of all flipped bits. A row whose MAC does not fit
is never used (``Reason.DAMAGED_STATE``). The MAC covers table, key and every value, so it also
tells a row that was edited by hand or copied over another; it does not tell an old copy of the
whole database (the instance file does).
"""

import hmac
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final, Protocol

import structlog
from sqlalchemy import Table

from jrc.errors import StateError

MAC_BYTES = 16
CHANGES: Final = object()
"""In the place of a value, for ``RowMac.alike``."""

_log = structlog.get_logger("jrc")


class LookAgain(Protocol):
    """As ``Keyring.look_again``."""

    def __call__(self, *, at_once: bool = False) -> bool:
        """Whether there are other keys by now, which are taken."""
        ...


class _Begun(dict[str, blake2b]):
    """By table: a hash that has taken the key and the table's name, which is half of the work."""

    def __init__(self, key: bytes) -> None:
        self._keyed = blake2b(digest_size=MAC_BYTES, key=key)

    def __missing__(self, table: str) -> blake2b:
        begun = self._keyed.copy()
        begun.update(table.encode())
        self[table] = begun
        return begun


class RowMac:
    """Computes and checks row MACs (keyed BLAKE2b, 16 bytes).

    Rows are sealed with ``key``. Those that were sealed with one of ``older`` fit too, which there
    are while the key is changed (``rotation.py``): rows do not say which key sealed them.
    """

    __slots__ = ("_begun", "_older", "_said", "look_again")

    def __init__(self, key: bytes, *older: bytes) -> None:
        self.look_again: LookAgain | None = None
        """Asked where a MAC does not fit: whether there are other keys by now."""
        self._said: set[str] = set()
        self.take(key, *older)

    def take(self, key: bytes, *older: bytes) -> None:
        """Go on with these keys, in every thread."""
        self._older = tuple(RowMac(each) for each in older)
        self._begun = _Begun(key)

    def compute(self, table: str, values: Sequence[object]) -> bytes:
        """The MAC of a row; ``values`` hold the primary key first, then every other column."""
        keyed = self._begun[table].copy()
        row = tuple(values)
        text = repr(row)
        # What is printable hangs on the version of Unicode, and so on that of Python.
        keyed.update((text if text.isascii() else ascii(row)).encode())
        return keyed.digest()

    def alike(self, table: str, values: Sequence[object]) -> Callable[..., bytes]:
        """``compute`` for rows that differ in a few values: what they share is written once.

        ``values`` has two or more, ``CHANGES`` for each that what comes back takes.
        """
        begun = self._begun[table]
        shared = ("%a" if each is CHANGES else ascii(each).replace("%", "%%") for each in values)
        row = f"({', '.join(shared)})"

        def compute(*changing: object) -> bytes:
            keyed = begun.copy()
            keyed.update((row % changing).encode("ascii"))
            return keyed.digest()

        return compute

    def fits(
        self, table: str, values: Sequence[object], mac: object, *, at_once: bool = False
    ) -> bool:
        """Whether the row is as we wrote it; a damaged ``mac`` may be of any type.

        ``at_once`` is as for ``Keyring.look_again``.
        """
        return isinstance(mac, bytes) and (
            hmac.compare_digest(self.compute(table, values), mac)
            or self._fits_otherwise(table, values, mac, at_once=at_once)
        )

    def _fits_otherwise(
        self, table: str, values: Sequence[object], mac: bytes, *, at_once: bool
    ) -> bool:
        """Whether it is sealed with an older key, or with one that was not known yet."""
        if any(older.fits(table, values, mac) for older in self._older):
            return True
        if self.look_again is None:
            return False
        self.look_again(at_once=at_once)  # or another thread has, right now
        return self._fits_newest(table, values, mac) or any(
            older.fits(table, values, mac) for older in self._older
        )

    def _fits_newest(self, table: str, values: Sequence[object], mac: object) -> bool:
        return isinstance(mac, bytes) and hmac.compare_digest(self.compute(table, values), mac)

    def is_newest(self, table: Table, row: Mapping[Any, Any], *details: object) -> bool:
        """Whether a row read whole is sealed with the key that rows are sealed with now."""
        return self._fits_newest(table.name, (*_values(table, row), *details), row["mac"])

    def seal(self, table: Table, row: Mapping[str, object], *details: object) -> dict[str, object]:
        """``row`` (every column but ``mac``) with its MAC added.

        ``details`` are values of dependent rows that the MAC covers too, such as the networks of
        a pledge; whoever changes those seals the row anew.
        """
        return {**row, "mac": self.compute(table.name, (*_values(table, row), *details))}

    def is_intact(self, table: Table, row: Mapping[Any, Any], *details: object) -> bool:
        """Whether a row read whole, and its ``details``, are as they were sealed."""
        return self.fits(table.name, (*_values(table, row), *details), row["mac"])

    def check(self, table: Table, row: Mapping[Any, Any], *details: object) -> None:
        """Nothing, if a row read whole is as it was sealed.

        Raises:
            StateError: a value, or one of ``details``, is not what was sealed.
        """
        if not self.is_intact(table, row, *details):
            raise StateError(f"{_name(table, row)} does not authenticate: the row was damaged")

    def is_usable(self, table: Table, row: Mapping[Any, Any], *details: object) -> bool:
        """As ``is_intact``; of a row that is left out for it the log tells, once in a process."""
        if self.is_intact(table, row, *details):
            return True
        self.say_left_out(_name(table, row))
        return False

    def say_left_out(self, name: str) -> None:
        """Let the log tell, once in a process, of a row or value that is left out."""
        if name not in self._said:
            self._said.add(name)
            _log.warning("damaged_row_left_out", row=name)


def _values(table: Table, row: Mapping[Any, Any]) -> list[object]:
    return [row[column.name] for column in table.columns if column.name != "mac"]


def _name(table: Table, row: Mapping[Any, Any]) -> str:
    keys = ", ".join(str(row[column.name]) for column in table.primary_key)
    return f"{table.name} {keys}"
