"""Join windows as the operator's use cases see them: open ones, and those that were."""

from typing import Any

from sqlalchemy import Select, insert, select, update

from jrc.policy.windows import JoinWindow
from jrc.store.gates import window_from_values, window_values
from jrc.store.schema import instance, join_window
from jrc.store.scope import Scope, draw_ids

_SEALED = [column.name for column in join_window.columns if column.name != "mac"]


class Windows:
    """As ``service.registry.WindowStore``."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._connection = scope.connection

    @property
    def seen_ms(self) -> int:
        """The latest time that the database has seen, in ms since 1970."""
        return self._connection.scalar(select(instance.c.clock_high_water_ms)) or 0

    def not_closed(self) -> list[JoinWindow]:
        """Every window that was not closed; its time may have run out.

        Raises:
            StateError: a row does not authenticate.
        """
        query = select(join_window).where(join_window.c.closed_at_ms.is_(None))
        return self._windows(query.order_by(join_window.c.id))

    def newest(self, limit: int) -> list[JoinWindow]:
        """The last windows of all networks, newest first.

        Raises:
            StateError: a row does not authenticate.
        """
        return self._windows(select(join_window).order_by(join_window.c.id.desc()).limit(limit))

    def _windows(self, query: Select[Any]) -> list[JoinWindow]:
        found = []
        for row in self._connection.execute(query).mappings().all():
            self._scope.mac.check(join_window, row)
            found.append(window_from_values([row[name] for name in _SEALED]))
        return found

    def add(self, draft: JoinWindow) -> JoinWindow:
        """Write a new window; what comes back has its number."""
        (number,) = draw_ids(self._connection, join_window, 1)
        row = self._row(draft) | {"id": number}
        self._connection.execute(insert(join_window).values(self._scope.mac.seal(join_window, row)))
        return window_from_values([row[name] for name in _SEALED])

    def save(self, window: JoinWindow) -> None:
        """Write a changed window."""
        sealed = self._scope.mac.seal(join_window, self._row(window))
        self._connection.execute(
            update(join_window).where(join_window.c.id == window.id).values(sealed)
        )

    def _row(self, window: JoinWindow) -> dict[str, Any]:
        return dict(zip(_SEALED, window_values(window), strict=True))
