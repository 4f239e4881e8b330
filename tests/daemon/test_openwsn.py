"""Real OpenWSN firmware's datagrams over UDP, to registrars set up as docs/openwsn.md says."""

import pytest

from jrc.model import Profile
from jrc.policy.profiles import TRAITS
from tests.daemon.site import Daemon, Site
from tests.daemon.wire import Wire
from tests.interop.captures import H, Mote, form_of, good_forms, motes, on_the_link

LAB = "\n[lab]\nallow_weak_keys = true\n"
BY_NAME = {mote.name: mote for mote in motes()}
GROUPS = (
    ("A-141592cc00000002",),
    ("F-141592cc00000003",),
    ("G-141592cc00000003", "L-024b00fffe120002", "L-024b00fffe120003", "L-024b00fffe120004"),
)
"""Motes that share a registrar: a neighbour of the root, one behind a proxy that keeps its state in
option 40, one behind a proxy with extended tokens, and those that have PSKs of their own."""


@pytest.fixture
def lab(site: Site) -> Site:
    """A site that takes the firmware's own key."""
    site.config.write_text(site.config.read_text() + LAB)
    return site


@pytest.mark.parametrize("names", GROUPS, ids="+".join)
def test_c02_b05_real_firmware_gets_answers_it_joins_on_from_a_daemon(
    lab: Site, names: tuple[str, ...]
) -> None:
    """RFC 9031 §8.1: daemon, admin API and sockets, as in the field."""
    with lab.start() as daemon, Wire(daemon.address) as wire:
        daemon.api("PATCH", "/v1/networks/lab", json={"profile": "openwsn"})
        for mote in map(BY_NAME.__getitem__, names):
            enrolled = {"pledge_id": mote.identifier.hex(), "psk": mote.psk.hex()}
            daemon.api("POST", "/v1/pledges", json=enrolled)
            _replay(wire, mote)
            assert "joined" == daemon.api("GET", f"/v1/pledges/{mote.identifier.hex()}")["state"]
        assert wire.is_quiet()


def _replay(wire: Wire, mote: Mote) -> None:
    for capture in mote.captures:
        answer = wire.ask(H(capture["request"]))
        assert form_of(capture, answer) in good_forms(), capture["id"]
        assert on_the_link(capture, answer) <= (TRAITS[Profile.OPENWSN].max_answer_bytes or 0)


def test_a02_a_published_key_is_refused_outside_of_a_lab(site: Site) -> None:
    """RFC 9031 §9: the firmware's own key, with which everybody can join."""
    (mote, *_) = motes()
    added = ("pledge", "add", mote.identifier.hex(), "--psk-file", "-")
    done = site.attempt(*added, given=mote.psk.hex())
    assert done.returncode == 6
    assert "the PSK is weak" in done.stderr
    assert mote.psk.hex() not in done.stdout + done.stderr


def test_a02_a_lab_says_so_wherever_it_is_asked(lab: Site) -> None:
    """RFC 9031 §9: in check-config, in status, in the log, and with each such key for ever."""
    (mote, *_) = motes()
    identifier = mote.identifier.hex()
    lab.run("network", "set", "lab", "--profile", "openwsn")
    lab.run("pledge", "add", identifier, "--psk-file", "-", given=mote.psk.hex())
    assert "lab.allow_weak_keys is set" in lab.run("check-config").stdout
    assert " lab " in lab.run("pledge", "show", identifier).stdout.replace("\n", " ")
    with lab.start() as daemon:
        assert daemon.api("GET", "/v1/status")["weak_keys_allowed"] is True
        assert _warnings(daemon) == [(1, True)]
    lab.change("allow_weak_keys = true", "allow_weak_keys = false")
    with lab.start() as daemon:
        assert daemon.api("GET", "/v1/status")["weak_keys_allowed"] is False
        assert _warnings(daemon) == [(1, False)]


def _warnings(daemon: Daemon) -> list[tuple[object, object]]:
    """How many keys the daemon warned of, and whether it takes more."""
    found = [event for event in daemon.events() if event["event"] == "weak_keys"]
    assert all(event["level"] == "warning" for event in found)
    return [(event["pledges"], event["more_are_taken"]) for event in found]
