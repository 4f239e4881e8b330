"""Row B7 in the running daemon: a pledge gets a new context over UDP, and kills lose nothing."""

import json

from jrc.cojp.constants import MessageType
from jrc.lab.pledge import Joined, Recovering, SimulatedPledge
from tests.daemon.site import Site
from tests.daemon.wire import Wire, ciphertext_of, with_header

COUNTED = "jrc_recoveries"


def again(request: bytes, number: int) -> bytes:
    """A copy as a stateless proxy sends it."""
    return with_header(request, type=MessageType.NON, message_id=number, token=bytes((number,)))


def joined(site: Site) -> SimulatedPledge:
    """A pledge that has joined, and whose context is lost."""
    (device,) = site.new_devices(1)
    site.import_devices([device])
    pledge = device.pledge(first=7)
    with site.start() as daemon, Wire(daemon.address) as wire:
        wire.join(pledge)
        site.run("pledge", "recover", device.identifier.hex(), "--yes", "--reason", "a test")
        assert wire.is_quiet()
    return pledge


def test_b07_a_daemon_that_is_killed_between_the_exchanges_goes_on(site: Site) -> None:
    """RFC 9031 §7.3.1, RFC 8613 App. B.2: R2 is on disk before response #1 leaves."""
    pledge = joined(site)
    listed = json.loads(site.run("pledge", "list", "--recovering", "--json").stdout)
    assert [(pledge.identifier.hex(), "waiting")] == [
        (each["pledge_id"], each["recovery"]) for each in listed
    ]
    first = pledge.request()
    with site.start() as daemon, Wire(daemon.address) as wire:
        offered = wire.ask(first)
        told = site.run("pledge", "explain", pledge.identifier.hex()).stdout
        assert "1 run begun" in told
        daemon.kill()
    with site.start() as daemon, Wire(daemon.address) as wire:
        assert ciphertext_of(offered) == ciphertext_of(wire.ask(again(first, 1)))
        assert isinstance(pledge.receive(offered), Recovering)
        second = pledge.request()
        answer = wire.ask(second)
        found = daemon.metrics()
        assert (0, 1) == (found[f"{COUNTED}_begun_total"], found[f"{COUNTED}_completed_total"])
        daemon.kill()
    with site.start() as daemon, Wire(daemon.address) as wire:
        assert ciphertext_of(answer) == ciphertext_of(wire.ask(again(second, 2)))
        # Its run is over: it begins another one, with keys of its own.
        challenge = ciphertext_of(wire.ask(again(first, 3)))
        assert challenge not in (ciphertext_of(offered), ciphertext_of(answer))
        assert isinstance(pledge.receive(answer), Joined)
        wire.join(pledge)
        assert wire.is_quiet()
        logged = str(daemon.api("GET", "/v1/events")["events"])
        for kind in ("pledge.lost", "pledge.recovering", "pledge.recovered"):
            assert kind in logged
    listed = json.loads(site.run("pledge", "list", "--recovering", "--json").stdout)
    assert [] == listed
