"""Two registrars on PostgreSQL in join storms: SIGKILL to either, and crashes of the server.

``JRC_KILLS_ON_SERVER`` and ``JRC_SERVER_CRASHES`` set their numbers.
"""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.daemon.site import Daemon, Site
from tests.daemon.test_registrars import status, until
from tests.faults.form import SEED, figure, needs_namespace
from tests.faults.killing import Orders
from tests.faults.storm import Storm
from tests.postgresql import NEEDED, Server, new_server

pytestmark = [pytest.mark.faults, NEEDED]

KILLS = figure("JRC_KILLS_ON_SERVER", short=10, long=200)
CRASHES = figure("JRC_SERVER_CRASHES", short=3, long=50)
PLEDGES = 24
STORM_S = 2.5


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of the test's own."""
    made = new_server()
    yield made
    made.remove()


@needs_namespace
def test_m02_b03_b04_f02_kills_of_two_registrars_on_a_server_repeat_nothing(
    tmp_path: Path, server: Server
) -> None:
    """RFC 9031 §7.3.1, §8.4.4.1: with rollovers, whose conductor is among the killed."""
    orders = Orders(kills=KILLS, seed=SEED, daemons=2, server=server.new_database(), fast=True)
    report = orders.carry_out(tmp_path)
    print(report)
    assert ([], 0, "") == (report.violations, report.stalls, report.broke_off)
    assert report.kills == KILLS
    assert report.answers > 10 * KILLS
    assert report.updates > 0


def test_m02_b03_f02_crashes_of_the_server_repeat_nothing_and_lose_nothing(
    tmp_path: Path, server: Server
) -> None:
    """RFC 9031 §7.3.1: commits of unknown outcome among them; no registrar has to be started."""
    site = Site.make(tmp_path / "first", server=server.new_database())
    site.add_lab()
    made = site.new_devices(PLEDGES)
    site.import_devices(made[:1], role="6lbr")
    site.import_devices(made[1:])
    storm = Storm(made, SEED, patience_s=20.0)
    chance = random.Random(SEED)
    with both(site, site.copy(tmp_path / "second")) as daemons:
        for _ in range(CRASHES):
            crash = threading.Timer(chance.uniform(0.2, 1.0), restart, [server])
            crash.start()
            storm.blow(daemons, STORM_S)
            crash.join()
            storm.listen()
            for daemon in daemons:
                until(lambda daemon=daemon: status(daemon)["ready"])  # type: ignore[misc]
            storm.compare(daemons[0])
        storm.settle(daemons)
        storm.compare(daemons[1])
        storm.verify(daemons[0])
        assert [None, None] == [daemon.process.poll() for daemon in daemons]
    print(f"{storm.answered} answers over {CRASHES} crashes, {storm.witness.copies} copies")
    assert ([], 0) == (storm.witness.violations, storm.stalls)
    assert storm.answered > CRASHES * PLEDGES


@contextmanager
def both(*sites: Site) -> Iterator[list[Daemon]]:
    """A registrar on each."""
    daemons = [site.start() for site in sites]
    try:
        yield daemons
    finally:
        for daemon in daemons:
            daemon.kill()


def restart(server: Server) -> None:
    """The server crashes, and recovers from its log."""
    server.stop()
    server.start()
