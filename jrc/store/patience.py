"""A connection to PostgreSQL that gives up a server which hangs.

The server's own timeouts are kept by the process that may be hanging, and those of TCP by its
kernel, which goes on acknowledging: with neither would a wait ever end.
"""

import time
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

_T = TypeVar("_T")


class _SilenceError(psycopg.OperationalError):
    """As for every lost connection: what became of a commit is not known."""


class PatientConnection(psycopg.Connection[Any]):
    """The driver's own, but each wait ends after ``patience_s``, and with it the connection."""

    patience_s: float

    @classmethod
    def open(cls, patience_s: float, *where: Any, **settings: Any) -> "PatientConnection":
        """As ``connect``."""
        connection = cls.connect(*where, **settings)
        connection.patience_s = patience_s
        return connection

    def wait(self, gen: PQGen[_T], *args: Any, **settings: Any) -> _T:
        """What ``gen`` gives.

        Raises:
            psycopg.OperationalError: the server has not answered in time.
        """
        patience_s = getattr(self, "patience_s", None)
        if patience_s is None:  # it is being made: ``connect_timeout`` holds
            return super().wait(gen, *args, **settings)
        try:
            return super().wait(_within(gen, patience_s), *args, **settings)
        except _SilenceError:
            self.close()
            raise


def _within(gen: PQGen[_T], patience_s: float) -> PQGen[_T]:
    """``gen``, which is told now and then that nothing has come, for no longer than that."""
    ends_s = time.monotonic() + patience_s
    try:
        waits_for = next(gen)
        while True:
            ready = yield waits_for
            if not ready and time.monotonic() > ends_s:
                gen.close()
                raise _SilenceError("the server has accepted the connection and does not answer")
            waits_for = gen.send(ready)
    except StopIteration as ended:
        result: _T = ended.value
        return result
