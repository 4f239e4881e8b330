"""The three hosts and the links between them; needs root, ``ip`` and ``nft``.

::

    pledges  radio0 ------ lowpan0  6LBR  eth0 ------ eth0  JRC
             fe80::                 2001:db8:2::1           2001:db8:2::2

A veth pair stands in for the radio; what it loses is chance (``nft``'s ``numgen``).
"""

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

RADIO = "lowpan0"
PLEDGE_SIDE = "radio0"
BACKHAUL = "eth0"
LBR_ADDRESS = "2001:db8:2::1"
JRC_ADDRESS = "2001:db8:2::2"
COAP_PORT = 5683
PATIENCE_S = 60.0
_QUIET = ("default.accept_dad=0", "default.accept_ra=0", "default.router_solicitations=0")
"""Addresses are of use at once, and nobody asks for routers."""


@dataclass(frozen=True, slots=True)
class Host:
    """A network namespace."""

    name: str

    @property
    def inside(self) -> tuple[str, ...]:
        """The words before a command that is to run on this host."""
        return ("ip", "netns", "exec", self.name)

    def run(self, *command: str, given: str | None = None) -> str:
        """What a command prints that must succeed."""
        done = subprocess.run(
            (*self.inside, *command), input=given, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    def ip(self, *command: str) -> str:
        """``ip -6`` on this host."""
        return self.run("ip", "-6", *command)

    def link_local(self, interface: str) -> str:
        """The link-local address of an interface, once it has one."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            shown = self.run("ip", "-6", "-oneline", "address", "show", "dev", interface)
            for line in shown.splitlines():
                if "scope link" in line and "tentative" not in line:
                    return line.split()[3].partition("/")[0]
            time.sleep(0.05)
        raise AssertionError(f"{interface} has no link-local address")


@dataclass(frozen=True, slots=True)
class Hosts:
    """The three of them."""

    pledges: Host
    lbr: Host
    jrc: Host

    def add_radio(self) -> None:
        """The link between pledges and 6LBR comes up, both ends; addresses are new each time."""
        link = ("link", "add", RADIO, "netns", self.lbr.name, "type", "veth")
        _ip(*link, "peer", "name", PLEDGE_SIDE, "netns", self.pledges.name)
        self.lbr.ip("link", "set", RADIO, "up")
        self.pledges.ip("link", "set", PLEDGE_SIDE, "up")
        self.lbr.link_local(RADIO)
        self.pledges.link_local(PLEDGE_SIDE)

    def remove_radio(self) -> None:
        """The interface is gone, as if its driver had been unloaded."""
        self.lbr.ip("link", "delete", RADIO)

    def lose(self, percent: int) -> None:
        """Each direction of the radio loses so many of a hundred datagrams, by chance.

        They are dropped where they arrive: a drop at the sender would be told to the sender.
        """
        for host, port in ((self.lbr, "dport"), (self.pledges, "sport")):
            host.run("nft", "add table ip6 radio; flush table ip6 radio")
            host.run("nft", "add chain ip6 radio loss { type filter hook input priority 0; }")
            rule = f"udp {port} {COAP_PORT} numgen random mod 100 < {percent} drop"
            host.run("nft", f"add rule ip6 radio loss {rule}")


def _ip(*command: str) -> None:
    done = subprocess.run(("ip", *command), capture_output=True, text=True, check=False)
    assert done.returncode == 0, (command, done.stderr)


@contextmanager
def three_hosts() -> Iterator[Hosts]:
    """The hosts, connected; they are gone afterwards."""
    hosts = Hosts(*(Host(f"jrc-{os.getpid()}-{part}") for part in ("pledges", "lbr", "jrc")))
    everyone: Sequence[Host] = (hosts.pledges, hosts.lbr, hosts.jrc)
    try:
        for host in everyone:
            _ip("netns", "add", host.name)
            for setting in _QUIET:
                host.run("sysctl", "-qw", f"net.ipv6.conf.{setting}")
            host.ip("link", "set", "lo", "up")
        hosts.add_radio()
        link = ("link", "add", BACKHAUL, "netns", hosts.lbr.name, "type", "veth")
        _ip(*link, "peer", "name", BACKHAUL, "netns", hosts.jrc.name)
        for host, address in ((hosts.lbr, LBR_ADDRESS), (hosts.jrc, JRC_ADDRESS)):
            host.ip("link", "set", BACKHAUL, "up")
            host.ip("address", "add", f"{address}/64", "dev", BACKHAUL, "nodad")
        yield hosts
    finally:
        for host in everyone:
            subprocess.run(("ip", "netns", "delete", host.name), capture_output=True, check=False)
