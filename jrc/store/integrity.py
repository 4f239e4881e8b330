"""Whether the pages of an SQLite file hang together: what no row's MAC can say."""

from contextlib import closing

from sqlalchemy.exc import DBAPIError

from jrc.store.engine import connected, database_path, lookup_engine

MAX_FINDINGS = 3
_GOOD = "ok"


def findings(url: str) -> list[str]:
    """What is wrong with the file, the first few sentences; reads all of it.

    Nothing for a database server, which looks after its own.

    Raises:
        OperatorError: it can't be opened.
    """
    if database_path(url) is None:
        return []
    with closing(connected(lookup_engine(url))) as connection:
        try:
            rows = connection.exec_driver_sql(f"PRAGMA quick_check({MAX_FINDINGS})").all()
        except DBAPIError as error:
            return [str(error.orig)]
    return [str(text) for (text,) in rows if text != _GOOD]
