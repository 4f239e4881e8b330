"""A registrar with one network, ``lab``, and fixtures that run it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from jrc.lab.pledge import SimulatedPledge
from tests.daemon.site import Daemon, Site
from tests.daemon.wire import Wire


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Whether a file is left out; None leaves that to others.

    What makes up requests is loaded for `make test-api` alone: it takes a second of each run.
    """
    is_wanted = config.getoption("markexpr") == "api"
    return True if collection_path.name == "test_fuzzed_api.py" and not is_wanted else None


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site with the network ``lab``, to be copied."""
    site = Site.make(tmp_path_factory.mktemp("template") / "site")
    site.add_lab()
    return site


@pytest.fixture
def site(template: Site, tmp_path: Path) -> Site:
    """A site of the test's own."""
    return template.copy(tmp_path / "site")


@pytest.fixture(scope="module")
def daemon(template: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that the tests of a module share; each enrolls pledges of its own."""
    with template.copy(tmp_path_factory.mktemp("shared") / "site").start() as running:
        yield running
        assert running.stop() == 0


@pytest.fixture
def wire(daemon: Daemon) -> Iterator[Wire]:
    """A peer of the shared daemon."""
    with Wire(daemon.address) as opened:
        yield opened


@pytest.fixture(scope="module")
def witness(daemon: Daemon) -> SimulatedPledge:
    """A pledge whose joins show that the daemon still answers."""
    return daemon.enroll().pledge()
