"""A registrar with everything that has metrics: a rollover, backups, a Join Proxy, an installer."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jrc.store.backup.seal import new_identity
from tests.daemon.site import Daemon, Site
from tests.daemon.wire import Wire

_MORE = """\
[backup]
directory = "backups"
recipients = ["{recipient}"]
[rollover]
every_days = 30
guard_time_s = 1
[proxy]
interface = "lo"
jrc = "[::1]:5683"
network = "lab"
[[installer]]
network = "lab"
kind = "exec"
command = ["/bin/true"]
"""


@contextmanager
def watched(folder: Path) -> Iterator[Daemon]:
    """It runs, one device has joined, one was refused, and something bad has come.

    The rollover of the network ``hall`` ends soon; that of ``lab`` goes on, since its node does not
    answer.
    """
    site = Site.make(folder)
    (folder / "backups").mkdir(mode=0o700)
    with site.config.open("a") as config:
        config.write(_MORE.format(recipient=new_identity()[1]))
    site.add_lab("--join-rate", "1000")
    site.run("network", "add", "hall", "--network-id", "beef", "--prefix", "fd00:2::/64")
    _start_rollover(site, "hall")
    with site.start() as daemon:
        _traffic(daemon)
        _start_rollover(site, "lab")
        yield daemon


def _start_rollover(site: Site, network: str) -> None:
    site.run("rollover", "start", network, "--yes", "--reason", "spring")


def _traffic(daemon: Daemon) -> None:
    device = daemon.enroll()
    with Wire(daemon.address) as wire:
        wire.join(device.pledge())
        request = device.pledge(first=1).request()
        wire.ask(request)
        wire.ask(request)
    refuse(daemon)


def refuse(daemon: Daemon) -> None:
    """One more device is refused, one more datagram ends in silence."""
    with Wire(daemon.address) as wire:
        wire.send(b"\x00")
        wire.refusal(daemon.enroll().pledge(role=1))
