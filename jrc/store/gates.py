"""Join windows and approvals as a join's transaction reads and writes them.

Nothing here is touched by joins to networks that admit everybody.
"""

from sqlalchemy import Connection, bindparam, insert, select

from jrc.errors import StateError
from jrc.policy.admission import Admittance
from jrc.policy.windows import JoinWindow
from jrc.store.prepared import Prepared, change, updating
from jrc.store.rowmac import RowMac
from jrc.store.schema import admission, join_window

_ENTRY_NAMES = [column.name for column in admission.columns]
_SELECT_ENTRY = Prepared(
    select(admission)
    .where(admission.c.pledge_id == bindparam("pledge_id"))
    .where(admission.c.network_id == bindparam("network_id")),
    ["pledge_id", "network_id"],
)
_INSERT_ENTRY = Prepared(insert(admission), _ENTRY_NAMES)
_UPDATE_ENTRY = updating(admission, ["pledge_id", "network_id", "version"], _ENTRY_NAMES[2:])

_SELECT_WINDOW = Prepared(
    select(join_window)
    .where(join_window.c.network_id == bindparam("network_id"))
    .where(join_window.c.closed_at_ms.is_(None))
    .with_for_update(),
    ["network_id"],
)
_UPDATE_WINDOW = updating(
    join_window, ["id", "version"], ["admitted", "closed_at_ms", "version", "mac"]
)

_Key = tuple[int, int]


class Gates:
    """As ``gate_stores.GateRows``, for one transaction; ``flush`` writes out what was changed."""

    def __init__(self, connection: Connection, mac: RowMac, seen_ms: int) -> None:
        self.seen_ms = seen_ms
        self._connection = connection
        self._mac = mac
        self._entries: dict[_Key, Admittance | None] = {}
        self._versions: dict[_Key, int] = {}
        self._windows: dict[int, JoinWindow | None] = {}
        self._changed: dict[int, tuple[int, JoinWindow]] = {}

    def admittance(self, pledge_id: int, network_id: int) -> Admittance | None:
        """As ``gate_stores.GateRows.admittance``."""
        key = (pledge_id, network_id)
        if key not in self._entries:
            self._entries[key] = self._read_entry(key)
        return self._entries[key]

    def _read_entry(self, key: _Key) -> Admittance | None:
        rows = _SELECT_ENTRY.rows(self._connection, key)
        if not rows:
            return None
        *values, mac = rows[0]
        if not self._mac.fits("admission", values, mac):
            raise StateError(
                f"the admission of pledge {key[0]} to network {key[1]} does not authenticate:"
                " the row was damaged"
            )
        return Admittance(*values)

    def save_admittance(self, entry: Admittance) -> None:
        """As ``gate_stores.GateRows.save_admittance``."""
        key = (entry.pledge_id, entry.network_id)
        self._versions.setdefault(key, entry.version - 1)
        self._entries[key] = entry

    def window(self, network_id: int) -> JoinWindow | None:
        """As ``gate_stores.GateRows.window``."""
        if network_id not in self._windows:
            self._windows[network_id] = self._read_window(network_id)
        return self._windows[network_id]

    def _read_window(self, network_id: int) -> JoinWindow | None:
        rows = _SELECT_WINDOW.rows(self._connection, (network_id,))
        if not rows:
            return None
        *values, mac = rows[0]
        if not self._mac.fits("join_window", values, mac):
            raise StateError(f"join_window {values[0]} does not authenticate: the row was damaged")
        return window_from_values(values)

    def save_window(self, window: JoinWindow) -> None:
        """As ``gate_stores.GateRows.save_window``."""
        before, _ = self._changed.get(window.id, (window.version - 1, window))
        self._changed[window.id] = (before, window)
        self._windows[window.network_id] = window

    def flush(self) -> None:
        """Write what was changed, each row only if it is as it was read.

        Raises:
            ConflictError: one is not.
        """
        new: list[tuple[object, ...]] = []
        known: list[tuple[object, ...]] = []
        for key in sorted(self._versions):
            entry, before = self._entries[key], self._versions[key]
            assert entry is not None
            row = (*entry, self._mac.compute("admission", entry))
            if before:
                known.append((*row[2:], *key, before))
            else:
                new.append(row)
        _INSERT_ENTRY.many(self._connection, new)
        change(_UPDATE_ENTRY, self._connection, known)
        change(
            _UPDATE_WINDOW,
            self._connection,
            [self._window_row(*self._changed[number]) for number in sorted(self._changed)],
        )

    def _window_row(self, before: int, window: JoinWindow) -> tuple[object, ...]:
        mac = self._mac.compute("join_window", window_values(window))
        return (window.admitted, window.closed_at_ms, window.version, mac, window.id, before)


def window_values(window: JoinWindow) -> tuple[object, ...]:
    """The values of a row of ``join_window`` without its MAC, in the order that the MAC covers."""
    return (
        window.id,
        window.network_id,
        window.opened_at_ms,
        window.until_ms,
        window.max_pledges,
        window.admitted,
        window.seen_before_ms,
        window.closed_at_ms,
        window.version,
    )


def window_from_values(values: list[int]) -> JoinWindow:
    """The reverse of ``window_values``."""
    return JoinWindow(
        id=values[0],
        network_id=values[1],
        opened_at_ms=values[2],
        until_ms=values[3],
        max_pledges=values[4],
        admitted=values[5],
        seen_before_ms=values[6],
        closed_at_ms=values[7],
        version=values[8],
    )
