"""What SQLite's errors mean, each met with a real fault."""

import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from jrc.errors import REMEDIES, Cause
from jrc.store.faults import cause_of, store_error

PAGE_BYTES = 4096


def cause(work: Callable[[], object]) -> Cause:
    """What the error of ``work`` means."""
    with pytest.raises(sqlite3.Error) as caught:
        work()
    error = DBAPIError("statement", None, caught.value)
    assert store_error(error).hint == REMEDIES[cause_of(error)]
    return cause_of(error)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A database with a table of some pages, in WAL mode."""
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None, timeout=0)) as opened:
        opened.execute("PRAGMA journal_mode = WAL")
        opened.execute("CREATE TABLE t (x)")
        opened.execute(f"INSERT INTO t VALUES (zeroblob({4 * PAGE_BYTES}))")
        opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        yield opened


def test_a_full_disk(connection: sqlite3.Connection) -> None:
    """As SQLite says it for ENOSPC, and for a bound of its own."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    insert = f"INSERT INTO t VALUES (zeroblob({2 * PAGE_BYTES}))"
    assert Cause.DISK_FULL is cause(lambda: connection.execute(insert))


def test_a_database_that_may_not_be_written(connection: sqlite3.Connection) -> None:
    """SQLITE_READONLY."""
    connection.execute("PRAGMA query_only = ON")
    assert Cause.READ_ONLY is cause(lambda: connection.execute("INSERT INTO t VALUES (1)"))


def test_a_database_that_another_program_holds(
    connection: sqlite3.Connection, tmp_path: Path
) -> None:
    """SQLITE_BUSY."""
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert Cause.LOCKED is cause(lambda: connection.execute("BEGIN IMMEDIATE"))


def test_pages_and_files_that_are_damaged(connection: sqlite3.Connection, tmp_path: Path) -> None:
    """SQLITE_CORRUPT and SQLITE_NOTADB."""
    path = tmp_path / "x.db"
    connection.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:PAGE_BYTES] + bytes(len(whole) - PAGE_BYTES))
    with closing(sqlite3.connect(path)) as other:
        assert Cause.CORRUPT is cause(lambda: other.execute("SELECT x FROM t").fetchall())
    path.write_bytes(b"\xff" * len(whole))
    with closing(sqlite3.connect(path)) as other:
        assert Cause.CORRUPT is cause(lambda: other.execute("SELECT x FROM t").fetchall())


@contextmanager
def no_more_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_no_file_that_can_be_opened(tmp_path: Path) -> None:
    """SQLite says the same of EMFILE and of a folder that is not there."""
    sqlite3.connect(tmp_path / "x.db").close()
    assert Cause.DATABASE is cause(lambda: sqlite3.connect(tmp_path / "missing" / "x.db"))
    with pytest.raises(sqlite3.Error) as caught, no_more_files():
        sqlite3.connect(tmp_path / "x.db")
    with no_more_files():
        found = cause_of(DBAPIError("statement", None, caught.value))
    assert Cause.OPEN_FILES is found
    assert Cause.DATABASE is cause_of(DBAPIError("statement", None, Exception("not SQLite's")))
