"""Backups from SQLite to a PostgreSQL server and back: one format for both."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import pytest

from jrc.errors import OperatorError
from jrc.model import Condition
from jrc.store.backup.target import MOVING
from jrc.store.database import Database
from jrc.store.schema import metadata
from tests import postgresql
from tests.desk import KEK, ON_SERVER, Desk
from tests.joining import Hall
from tests.store.backups import made

pytestmark = [
    postgresql.NEEDED,
    pytest.mark.skipif(ON_SERVER, reason="the desk is to be on SQLite here"),
]


@pytest.fixture
def url() -> Iterator[str]:
    """An empty database on a server of the tests' own."""
    server = postgresql.shared_server()
    made_url = server.new_database()
    yield made_url
    server.drop(made_url)


def rows(opened: Database, name: str) -> list[tuple[object, ...]]:
    with opened.writer.connection.begin():
        found = opened.writer.connection.exec_driver_sql(f'SELECT * FROM "{name}"')
        return sorted((tuple(row) for row in found), key=repr)


def test_a_database_moves_to_a_server_and_back(hall: Hall, tmp_path: Path, url: str) -> None:
    """Every row is the same, new ones get numbers of their own, and it is open at once."""
    for number in range(1, 4):
        hall.join(hall.enroll(number))
    backup = made(hall.desk, tmp_path / "b", is_final=True)
    done = backup.restored(tmp_path / "there", url=url)
    assert Condition.OPEN == done.instance.condition
    with closing(Database.open(url, KEK)) as there:
        for name in set(metadata.tables) - {"instance", "event"}:
            assert rows(hall.desk.database, name) == rows(there, name), name
        desk = Desk.__new__(Desk)
        desk.database, desk.url, desk.now_ms, desk.path = there, url, backup.now_ms, tmp_path / "x"
        desk.pledge(9)
        back = made(desk, tmp_path / "c")
    again = back.restored(tmp_path / "back")
    assert (Condition.QUARANTINED, None) == (again.instance.condition, again.instance.server)
    with closing(Database.open(f"sqlite:///{tmp_path / 'back/jrc.db'}", KEK)) as opened:
        assert 4 == len(rows(opened, "pledge"))


def test_a_server_s_database_with_tables_is_left_alone(lab: Desk, tmp_path: Path, url: str) -> None:
    """There is no moving aside there."""
    backup = made(lab, tmp_path / "b")
    backup.restored(tmp_path / "there", url=url)
    with pytest.raises(OperatorError, match="has tables; nothing was changed"):
        backup.restored(tmp_path / "there", url=url, replaces=True)


def test_a_restore_that_fails_leaves_an_empty_database(lab: Desk, tmp_path: Path, url: str) -> None:
    """All of it is one transaction."""
    backup = made(lab, tmp_path / "b", is_final=True)
    with pytest.raises(OperatorError, match="can't be marked"):
        backup.restored(tmp_path / "there", url=url, path=tmp_path / "gone")
    backup.restored(tmp_path / "there", url=url)


def test_a_final_restore_that_is_broken_off_goes_on_with_the_database_it_has_begun(
    lab: Desk, tmp_path: Path, url: str
) -> None:
    """Nobody is answered from it till then, and neither that backup nor another goes on twice."""
    backup = made(lab, tmp_path / "b", is_final=True)
    full = OperatorError("no space")
    with (
        patch("jrc.store.instancefile.write", side_effect=full),
        pytest.raises(OperatorError) as said,
    ):
        backup.restored(tmp_path / "there", url=url)
    assert "give the same command again" in said.value.hint
    with closing(Database.open(url, KEK)) as begun:
        found = begun.instance
    assert (Condition.QUARANTINED, MOVING) == (found.condition, found.condition_detail)
    ordinary = made(lab, tmp_path / "c")
    with pytest.raises(OperatorError, match="has tables"):
        ordinary.restored(tmp_path / "there", url=url)
    done = backup.restored(tmp_path / "there", url=url)
    assert (True, "") == (done.is_open, done.instance.condition_detail)
    with pytest.raises(OperatorError, match="has tables"):
        backup.restored(tmp_path / "there", url=url)
