"""Where a backup may be restored to: a file, or a server's database, and what is there already."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, inspect, select
from sqlalchemy.exc import DBAPIError

from jrc.errors import ExitCode, OperatorError
from jrc.store.backup import placing
from jrc.store.engine import database_path, writer_engine
from jrc.store.postgresql import said_by
from jrc.store.schema import instance as instance_table

MOVING = "a final backup is being restored to it: give the same `jrc backup restore` again"
"""Why nobody is answered from a server's database that its final backup goes on as, for now."""


def is_begun(url: str, used_by: bytes | None) -> bool:
    """Whether a restore to here was broken off after a backup was marked, with ``used_by`` in it.

    Raises:
        OperatorError: the database's server can't be reached.
    """
    if used_by is None:
        return False
    path = database_path(url)
    if path is not None:
        return placing.begun_name(path.resolve(), used_by).exists()
    with connected(url) as connection, connection.begin():
        return _is_moving(connection, used_by)


def _is_moving(connection: Connection, epoch: bytes) -> bool:
    if instance_table.name not in inspect(connection).get_table_names():
        return False
    columns = (instance_table.c.epoch, instance_table.c.condition_detail)
    row = connection.execute(select(*columns)).first()
    return row is not None and tuple(row) == (epoch, MOVING)


def check_target(url: str, *, replaces: bool, used_by: bytes | None = None) -> None:
    """Nothing, if there is room for a database, or the one that a backup goes on as.

    Raises:
        OperatorError: there is another one, and it may not be replaced.
    """
    path = database_path(url)
    if path is None:
        with connected(url) as connection, connection.begin():
            if used_by is None or not _is_moving(connection, used_by):
                check_empty(connection)
    elif not replaces and os.path.lexists(path):
        raise OperatorError(
            f"database.url: {path} exists; nothing was changed",
            "say --replace to move it aside, or name another file under [database]",
            exit_code=ExitCode.REFUSED,
        )


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A connection that may write; what SQL says against it is one sentence.

    Raises:
        OperatorError: the database can't be reached or written.
    """
    try:
        with writer_engine(url).connect() as connection:
            yield connection
    except DBAPIError as error:
        raise OperatorError(
            f"database.url: the database can't be made ({said_by(error)})",
            "no database was made that a daemon would take",
        ) from None


def check_empty(connection: Connection) -> None:
    """Nothing, if the database has no table.

    Raises:
        OperatorError: it has.
    """
    if inspect(connection).get_table_names():
        raise OperatorError(
            "database.url: the database on the server has tables; nothing was changed",
            "make a new one (`createdb`) and name it under [database]",
            exit_code=ExitCode.REFUSED,
        )
