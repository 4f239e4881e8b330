"""Registrars without a daemon, for modules that need nothing more."""

from pathlib import Path

import pytest

from tests.cli.terminal import Terminal


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """A registrar without a daemon that no test changes."""
    terminal = Terminal(tmp_path_factory.mktemp("registrar"))
    terminal.init()
    return terminal


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A registrar of a test's own."""
    fresh = Terminal(tmp_path / "registrar")
    fresh.init()
    return fresh
