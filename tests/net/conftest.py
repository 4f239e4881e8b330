"""Installers for the tests of this folder."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.net.bench import Bench, Pair


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """An installer that sets the keys itself."""
    return Bench(tmp_path)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """One that has a helper do it, for this process's user."""
    made = Pair(tmp_path, str(os.geteuid()))
    yield made
    made.stop()
