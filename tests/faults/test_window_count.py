"""SIGKILL while a join window is open: it lets in as many as it may, no more and no less."""

import random

import pytest

from jrc.cojp import message
from jrc.cojp.constants import CoapCode
from jrc.errors import PeerError
from tests.daemon.site import Daemon, Site
from tests.daemon.wire import OddPledge, Wire

pytestmark = pytest.mark.faults

MOST = 40
KILLS = 6
ROUNDS = 5
"""Of requests after the last kill; one is enough where nothing is lost."""
SEED = 8414
RESEND_AFTER_S = 0.3
JOIN_CAFE = bytes.fromhex("a10542cafe")


class Crowd:
    """Pledges that ask until they have joined, and what each was answered last."""

    def __init__(self, site: Site, count: int) -> None:
        devices = site.new_devices(count)
        site.import_devices(devices)
        self.pledges = [OddPledge(d.identifier, d.psk.reveal()) for d in devices]
        self.joined: set[int] = set()
        self.refused: set[int] = set()

    def ask(self, wire: Wire) -> None:
        """A new request of everybody who has not been answered yet."""
        for number, pledge in enumerate(self.pledges):
            if number not in self.joined | self.refused:
                wire.send(pledge.request(JOIN_CAFE, token=number.to_bytes(2)))

    def hear(self, wire: Wire) -> bool:
        """One answer to a request that is the last of its pledge; False if none comes."""
        try:
            datagram = wire.hear().payload
        except TimeoutError:
            return False
        number = int.from_bytes(message.decode(datagram).token)
        try:
            inner = self.pledges[number].open(datagram)
        except PeerError:
            return True  # to an earlier request: it asks anew
        (self.joined if inner.code == CoapCode.CHANGED else self.refused).add(number)
        return True


def window_of(daemon: Daemon) -> dict[str, object]:
    found = daemon.api("GET", "/v1/windows", params={"all": "1"})["windows"]
    assert isinstance(found, list)
    window: dict[str, object] = found[0]
    return window


def test_kills_change_nothing_about_how_many_a_window_lets_in(site: Site) -> None:
    """The count and the first join are one commit: neither is on disk without the other."""
    site.run("network", "set", "lab", "--admission", "window")
    site.run("window", "open", "lab", "--for", "1h", "--max", str(MOST))
    crowd = Crowd(site, 2 * MOST)
    chance = random.Random(SEED)
    for _ in range(KILLS):
        with site.start() as daemon, Wire(daemon.address) as wire:
            wire.socket.settimeout(RESEND_AFTER_S)
            admitted = window_of(daemon)["admitted"]
            assert isinstance(admitted, int)
            assert len(crowd.joined) <= admitted <= MOST
            crowd.ask(wire)
            for _ in range(chance.randrange(1, 12)):
                crowd.hear(wire)
            daemon.kill()
    with site.start() as daemon, Wire(daemon.address) as wire:
        wire.socket.settimeout(RESEND_AFTER_S)
        for _ in range(ROUNDS):
            crowd.ask(wire)
            while crowd.hear(wire):
                pass
        assert (MOST, set()) == (len(crowd.joined), crowd.joined & crowd.refused)
        assert ("count", MOST) == (window_of(daemon)["state"], window_of(daemon)["admitted"])
