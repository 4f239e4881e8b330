"""SIGKILL while pledges come back by RFC 8613 App. B.2: all of them do, and none begins anew.

``JRC_RECOVERY_KILLS`` sets the number of kills.
"""

import random
from pathlib import Path

import pytest

from tests.daemon.site import Site
from tests.daemon.wire import Wire
from tests.faults.broken import program
from tests.faults.form import IS_LONG, SEED, figure
from tests.faults.peers import Peers
from tests.faults.returning import Returners
from tests.faults.witness import Witness

pytestmark = pytest.mark.faults

KILLS = figure("JRC_RECOVERY_KILLS", short=6, long=100)
PLEDGES = 16
PATIENCE_S = 20.0
SHORT_PATIENCE_S = 2.0
"""For what is owed by a broken daemon, and never comes."""


def lost(site: Site) -> Peers:
    """Pledges that have joined, and whose contexts the registrar has lost."""
    peers = Peers(Witness(), random.Random(SEED))
    devices = site.new_devices(PLEDGES)
    site.import_devices(devices)
    peers.enroll(devices)
    with site.start() as daemon:
        with Wire(daemon.address) as wire:
            for peer in peers:
                wire.ask(peers.dressed(peer, peer.next_request()))
        site.run("quarantine", "--reason", "test", "--yes")
        site.run("recover", "--confirm-revocations", "--yes", "--reason", "test")
    return peers


def come_back(site: Site, peers: Peers, kills: int, fault: str | None = None) -> Returners:
    """All of them, over a daemon that is killed after every few answers."""
    chance = random.Random(SEED)
    returners = Returners(peers, Witness())
    for _ in range(kills):
        with site.start(program(fault)) as daemon:
            returners.come_back(daemon, patience_s=PATIENCE_S, most=chance.randrange(1, 4))
            daemon.kill()
    patience_s = PATIENCE_S if fault is None else SHORT_PATIENCE_S
    with site.start(program(fault)) as daemon:
        returners.come_back(daemon, patience_s=patience_s)
    return returners


def test_b07_kills_during_recovery_cost_nobody_a_new_beginning(site: Site, tmp_path: Path) -> None:
    """RFC 8613 App. B.2: R2 is on disk before response #1, the new context before its answer."""
    peers = lost(site)
    each = 2 * PLEDGES // 3  # kills of one such return, before all are back
    for number in range(0, KILLS, each):
        other = site.copy(tmp_path / f"site{number}")
        returners = come_back(other, peers, min(each, KILLS - number))
        assert ([], 0) == (returners.witness.violations, returners.missing)


@pytest.mark.skipif(not IS_LONG, reason="of the long form")
def test_pledges_that_come_back_show_a_daemon_that_is_broken(site: Site) -> None:
    """A check that can't fail says nothing: R2 in memory alone leaves whoever has it outside."""
    assert come_back(site, lost(site), 3, "runs_in_memory").missing > 0
