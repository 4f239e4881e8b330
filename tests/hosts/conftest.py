"""What the tests of three hosts share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.site import Daemon, Site
from tests.hosts.topology import COAP_PORT, JRC_ADDRESS, Hosts, three_hosts


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    with three_hosts() as connected:
        yield connected


@pytest.fixture
def registrar(hosts: Hosts, tmp_path: Path) -> Iterator[Daemon]:
    """``jrc run`` on its host, with the network ``lab``."""
    folder = tmp_path / "jrc"
    site = Site.make(folder, listen=f"[{JRC_ADDRESS}]:{COAP_PORT}")
    site.add_lab()
    with site.start(before=hosts.jrc.inside) as daemon:
        yield daemon
