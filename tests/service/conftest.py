"""A database of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desk import Desk
from tests.joining import Hall, hall_at


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
