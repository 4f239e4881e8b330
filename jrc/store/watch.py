"""Hears what other registrars commit, and holds the conductor's lock: a thread with a connection.

Whatever a registrar changes that others have in memory it tells in the same transaction (``Notice``
in ``server.py``). The instance row is looked at besides, twice a second, so that what was told
while there was no connection is no later than that.

One registrar of a database tells nodes and moves rollovers: whose connection here holds an
advisory lock. The server gives it to another when that connection ends, however its process did.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from jrc.errors import OperatorError
from jrc.store import postgresql
from jrc.store.postgresql import LOCKS, Lock
from jrc.store.server import CHANNEL, Notice

LOOK_EVERY_S = 0.5
RETRY_S = 1.0
"""Before a server that can't be reached is tried again."""

_LOOK = (
    "SELECT policy_revision, commit_number, current_setting('fsync'),"
    " current_setting('full_page_writes') FROM instance WHERE id = 1"
)
_TRY = "SELECT pg_try_advisory_lock(%s, %s)"

_log = structlog.get_logger(__name__)


class Sight(NamedTuple):
    """What a look has found; ``is_first`` of this connection: anything may have been missed.

    ``conductor`` is the name of another registrar's session that has the lock, None where nobody
    has it or we do (``is_conductor``). ``at_risk`` says why commits may be lost now.
    """

    policy_revision: int
    commit_number: int
    notices: tuple[Notice, ...]
    is_conductor: bool
    conductor: str | None
    is_first: bool
    at_risk: str | None = None


class Watch:
    """``seen`` and ``lost`` are called through ``call``, which takes them to the loop."""

    def __init__(
        self,
        url: str,
        call: Callable[..., object],
        seen: Callable[[Sight], None],
        lost: Callable[[str], None],
    ) -> None:
        self._engine = postgresql.watcher(url)
        self._call = call
        self._seen = seen
        self._lost = lost
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="jrc-watch", daemon=True)

    def start(self) -> None:
        """Begin, on a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End it, and let another registrar be conductor; blocks for one look at most."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        driver: Any = self._engine.dialect.loaded_dbapi
        while not self._stopped.is_set():
            try:
                with closing(self._engine.connect()) as connection:
                    self._watch(connection)
            except DBAPIError as error:
                self._say_lost(postgresql.said_by(error))
            except (OperatorError, driver.Error) as error:
                self._say_lost(str(error))
            self._stopped.wait(RETRY_S)

    def _say_lost(self, error: str) -> None:
        _log.debug("watch_lost", error=error)
        if not self._stopped.is_set():
            self._call(self._lost, error.partition("\n")[0])

    def _watch(self, connection: Connection) -> None:
        session: Any = connection.connection.driver_connection
        with session.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
            is_conductor, is_first = False, True
            notices: tuple[Notice, ...] = ()
            while not self._stopped.is_set():
                is_conductor = is_conductor or _one(cursor, _TRY, LOCKS, Lock.CONDUCTOR.value)
                cursor.execute(_LOOK)
                revision, commits, *settings = cursor.fetchone()
                other = None if is_conductor else _conductor(cursor)
                sight = Sight(
                    revision,
                    commits,
                    notices,
                    is_conductor,
                    other,
                    is_first,
                    postgresql.at_risk(*settings),
                )
                self._call(self._seen, sight)
                is_first, notices = False, tuple(_heard(session))


def _one(cursor: Any, query: str, *values: object) -> Any:
    cursor.execute(query, values)
    return cursor.fetchone()[0]


def _conductor(cursor: Any) -> str | None:
    cursor.execute(postgresql.HOLDERS, (LOCKS, Lock.CONDUCTOR.value))
    names: Sequence[tuple[str]] = cursor.fetchall()
    return names[0][0] if names else None


def _heard(session: Any) -> Iterator[Notice]:
    """Notices, once there is one or the time for the next look has come."""
    for heard in session.notifies(timeout=LOOK_EVERY_S, stop_after=1):
        yield Notice.parse(heard.payload)
