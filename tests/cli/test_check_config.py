"""What `jrc check-config` reads of the database, without changing a file."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal


def checked_as_by_run(terminal: Terminal, said: str) -> None:
    """Assert that `check-config` refuses like `run`, and changes no file."""
    before = {path.name: path.read_bytes() for path in terminal.folder.iterdir()}
    done = terminal.jrc("check-config")
    assert (done.code, done.out, said in done.err) == (1, "", True)
    assert before == {path.name: path.read_bytes() for path in terminal.folder.iterdir()}
    assert terminal.jrc("run").err == done.err


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", "schema 9999, newer than"),
        ("UPDATE alembic_version SET version_num = '0000'", "schema 0000, older than"),
        ("DROP TABLE alembic_version", "none of our schemas"),
    ],
)
def test_check_config_refuses_a_schema_that_run_refuses(
    terminal: Terminal, statement: str, said: str
) -> None:
    """With the same words, and the database is as it was."""
    database = terminal.folder / "jrc.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(statement)
    checked_as_by_run(terminal, said)


def test_check_config_refuses_the_key_of_another_database(
    terminal: Terminal, tmp_path: Path
) -> None:
    """It is a good key, and opens nothing here."""
    other = Terminal(tmp_path / "other")
    other.init(anew=True)
    (terminal.folder / "kek").write_bytes((other.folder / "kek").read_bytes())
    checked_as_by_run(terminal, "opens no slot of this database")


def test_check_config_refuses_a_file_that_is_no_database(terminal: Terminal) -> None:
    """As `jrc run`."""
    (terminal.folder / "jrc.db").write_bytes(b"no database" * 1000)
    checked_as_by_run(terminal, "file is not a database")
