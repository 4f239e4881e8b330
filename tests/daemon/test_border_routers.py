"""A running daemon and 6LBRs that start again: joined ones, and a radio that an installer sets."""

import time
from collections.abc import Callable

import pytest

from jrc.errors import ExitCode
from jrc.lab.configuration import LabConfiguration
from tests.daemon.site import CAFE, PATIENCE_S, Daemon, Site
from tests.daemon.test_installer import Radio
from tests.daemon.wire import Wire

FAST = "\n[rollover]\nguard_time_s = 0.2\nack_timeout_s = 0.2\nmax_retransmit = 0\n"


@pytest.fixture
def quick(site: Site) -> Site:
    """A site whose rollovers don't wait long."""
    with site.config.open("a") as config:
        config.write(FAST)
    return site


def until(condition: Callable[[], bool]) -> None:
    """Returns when it holds; fails after ``PATIENCE_S``."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def values(told: LabConfiguration) -> set[bytes]:
    return {key.value.reveal() for key in told.keys}


def rollover(daemon: Daemon) -> dict[str, object]:
    """The running rollover of ``lab``, or its last one."""
    return daemon.api("GET", "/v1/rollovers/lab")


def test_e07_a_6lbr_that_joins_again_has_fresh_keys_and_the_old_ones_end(quick: Site) -> None:
    """In the Join Response, which may be lost: it is asked, and this one never answers (row E3)."""
    with quick.start() as daemon, Wire(daemon.address) as wire:
        border = daemon.enroll(role="6lbr").pledge(CAFE, role=1)
        first = wire.join(border)
        again = wire.join(border)
        assert not values(first) & values(again)
        assert rollover(daemon)["cause"] == "border-router"
        assert rollover(daemon)["phase"] == "switching"
        until(lambda: "unreachable" in str(rollover(daemon)["nodes"]))
        agreed = {"anyway": True, "agreed": True}
        daemon.api("POST", "/v1/rollovers/lab/resume", json=agreed)
        until(lambda: rollover(daemon)["phase"] == "done")
        node = daemon.enroll().pledge()
        assert wire.join(node).keys == again.keys


def test_e07_a_radio_that_was_restarted_gets_fresh_keys(quick: Site) -> None:
    """They are drawn before the installers are run; the switch waits for the radio."""
    radio = Radio(quick)
    with quick.start() as daemon:
        until(lambda: bool(radio.documents))
        before = radio.documents[-1]
        quick.run("network", "install", "lab", "--restarted", "--reason", "power cut")
        after = radio.documents[-1]
        assert [key["state"] for key in after["keys"]] == ["current", "previous"]
        assert after["keys"][1]["value"] == before["keys"][0]["value"]
        until(lambda: rollover(daemon)["phase"] == "done")
        assert rollover(daemon)["reason"] == "power cut"


def test_e07_a_restart_is_refused_where_no_installer_is(quick: Site) -> None:
    """Nothing is changed for a radio that nobody sets."""
    with quick.start() as daemon:
        done = quick.attempt("network", "install", "lab", "--restarted")
        assert done.returncode == ExitCode.FAILED
        assert "no installer is configured for network lab" in done.stderr
        assert rollover(daemon)["phase"] is None


def test_k09_one_command_puts_a_device_out(quick: Site) -> None:
    """`--wait` returns when the keys that it has are retired; it is silent to it at once."""
    with quick.start() as daemon, Wire(daemon.address) as wire:
        lost, witness = daemon.enroll(), daemon.enroll().pledge()
        name, pledge = lost.identifier.hex(), lost.pledge()
        had = wire.join(pledge)
        done = quick.run("pledge", "revoke", name, "--yes", "--wait", "--reason", "stolen")
        assert "lab: the old keys are retired, and who was revoked is out" in done.stderr
        now = wire.join(witness)
        assert not values(had) & values(now)
        wire.assert_silence([pledge.request()], witness)
