"""What many tests of use cases begin with, on a database of a test's own or in memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from jrc.service.join_ports import KnownContext
from tests.desk import Desk
from tests.joining import Hall, hall_at
from tests.pushing import Bureau
from tests.rollovers import Floor, floor_at
from tests.service.door import Door
from tests.service.fakes import Ground, known_context
from tests.service.office import Office
from tests.service.recoveries import Peer, enroll, joins, lose


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    opened = Desk(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def hall(desk: Desk) -> Iterator[Hall]:
    """A registrar with a network."""
    desk.network()
    with hall_at(desk) as opened:
        yield opened


@pytest.fixture
def peer(hall: Hall) -> Peer:
    """A pledge that has joined, and whose context was lost then."""
    pledge = enroll(hall, first=5)
    joins(hall, pledge)
    lose(hall)
    return pledge


@pytest.fixture
def lab(desk: Desk) -> Desk:
    """A database with one network."""
    desk.network()
    return desk


@pytest.fixture
def known() -> KnownContext:
    """The context of pledge 1."""
    return known_context()


@pytest.fixture
def door(known: KnownContext) -> Door:
    """An intake that knows pledge 1."""
    return Door(known)


@pytest.fixture
def ground(known: KnownContext) -> Ground:
    """A transaction in which pledge 1 is at rest."""
    return Ground(known)


@pytest.fixture
def floor(desk: Desk) -> Iterator[Floor]:
    """Three 6LNs (rows 1 to 3) and a 6LBR (row 4)."""
    with floor_at(desk, 3) as opened:
        yield opened


@pytest.fixture
def bureau(tmp_path: Path) -> Iterator[Bureau]:
    """A bureau with a network."""
    bureau = Bureau(tmp_path)
    bureau.desk.network()
    yield bureau
    bureau.desk.close()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """An office with a network."""
    office = Office(tmp_path)
    office.desk.network()
    yield office
    office.desk.close()
