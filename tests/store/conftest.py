"""A database of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from jrc.store.database import Database
from tests.desk import KEK, Desk
from tests.joining import Hall, hall_at
from tests.rollovers import Floor, floor_at


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    opened = Desk(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def lab(desk: Desk) -> Desk:
    """One network with plenty of short identifiers."""
    desk.network()
    return desk


@pytest.fixture
def hall(lab: Desk) -> Iterator[Hall]:
    """A registrar for it."""
    with hall_at(lab) as hall:
        yield hall


@pytest.fixture
def first(desk: Desk) -> Iterator[Hall]:
    """A registrar with a network."""
    desk.network()
    with hall_at(desk) as hall:
        yield hall


@pytest.fixture
def second(desk: Desk, first: Hall) -> Iterator[Hall]:
    """Another one, with a connection of its own to the same file."""
    database = Database.open(desk.url, KEK)
    with hall_at(desk, database) as hall:
        yield hall
    database.close()


@pytest.fixture
def floor(desk: Desk) -> Iterator[Floor]:
    """Three 6LNs (rows 1 to 3) and a 6LBR (row 4)."""
    with floor_at(desk, 3) as opened:
        yield opened


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Desk]:
    """A database of its own on the PostgreSQL server."""
    opened = Desk(tmp_path, on_server=True)
    yield opened
    opened.close()


@pytest.fixture
def beside(desk: Desk) -> Iterator[Database]:
    """Another registrar's connection to the same database."""
    database = Database.open(desk.url, KEK)
    yield database
    database.close()
