"""Run inside a network namespace of its own: a registrar whose interfaces change under it.

``python -m tests.daemon.moving FOLDER`` prints what came of it as JSON.
"""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any, cast

from jrc.errors import Reason
from tests.daemon.site import Daemon, Device, Site
from tests.daemon.wire import LOOPBACK, Address, Wire

MESH = "mesh0"
LATE = "late0"
FIRST, SECOND = "fd00:1::1", "fd00:2::1"
LINK_LOCAL = "fe80::5"
PATIENCE_S = 60.0


def ip(*words: str) -> None:
    """An ``ip`` command that must succeed."""
    subprocess.run(("ip", "-6", *words), check=True, capture_output=True)


def make(name: str) -> None:
    """A veth pair, both ends up."""
    ip("link", "add", name, "type", "veth", "peer", "name", f"{name}-far")
    ip("link", "set", f"{name}-far", "up")
    ip("link", "set", name, "up")


def have(name: str, address: str) -> None:
    """Give an interface an address of a /64."""
    ip("address", "add", f"{address}/64", "dev", name, "nodad")


def until(is_so: Callable[[], bool]) -> bool:
    """Whether it is so in time."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if is_so():
            return True
        time.sleep(0.02)
    return False


class Moving:
    """A running registrar on an interface that moves; its network ``lab`` follows it."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.wire = Wire(daemon.address)

    def network(self) -> dict[str, Any]:
        """What the registrar says of ``lab``."""
        return self.daemon.api("GET", "/v1/networks/lab")

    def says(self, prefix: str, address: str | None) -> bool:
        """Whether the network comes to say so."""
        expected = (prefix, address)
        return until(lambda: expected == (self.network()["prefix"], self.network()["jrc_address"]))

    def told(self, device: Device) -> str | None:
        """The registrar's address that a node is told when joining."""
        address = self.wire.join(device.pledge(first=self._next())).jrc_address
        return None if address is None else str(IPv6Address(address))

    def _next(self) -> int:
        self._number = getattr(self, "_number", 0) + 10
        return self._number

    def is_silent(self, datagram: bytes, reason: Reason) -> bool:
        """Whether a request gets no answer, for this reason alone."""
        before = self.daemon.dropped().get(reason.value, 0)
        self.wire.send(datagram)
        counted = until(lambda: self.daemon.dropped().get(reason.value, 0) == before + 1)
        return counted and self.wire.is_quiet()


def renumber(moving: Moving) -> dict[str, object]:
    """Another prefix under joined nodes."""
    first = moving.told(moving.daemon.enroll())
    copied = moving.daemon.enroll().pledge()
    request = copied.request()
    moving.wire.ask(request)
    ip("address", "del", f"{FIRST}/64", "dev", MESH)
    have(MESH, SECOND)
    follows = moving.says("fd00:2::/64", SECOND)
    events = moving.daemon.api("GET", "/v1/events")["events"]
    assert isinstance(events, list)
    (change,) = [each for each in events if each["kind"] == "network.changed"]
    return {
        "first": first,
        "follows": follows,
        "next": moving.told(moving.daemon.enroll()),
        "copy_is_silent": moving.is_silent(request, Reason.COPY_REFUSED),
        "event": [change["actor"], change["reason"], change["detail"]],
        "joined": moving.network()["joined"],
    }


def remove(moving: Moving) -> dict[str, object]:
    """The interface goes and comes back."""
    device = moving.daemon.enroll()
    ip("link", "del", MESH)
    gone = moving.says("fd00:2::/64", None)
    silent = moving.is_silent(device.pledge().request(), Reason.NO_JRC_ADDRESS)
    make(MESH)
    have(MESH, SECOND)
    back = moving.says("fd00:2::/64", SECOND)
    return {"gone": gone, "silent": silent, "back": back, "told": moving.told(device)}


def come_late(moving: Moving) -> dict[str, object]:
    """A link-local address of coap.listen, whose interface comes late, goes and comes back."""
    seen: dict[str, object] = {"waits": _waiting(moving)}
    for name in ("late", "again"):
        make(LATE)
        have(LATE, LINK_LOCAL)
        seen[name] = until(lambda: not _waiting(moving)) and _joins_at(moving)
        ip("link", "del", LATE)
        seen[f"{name}_gone"] = until(lambda: len(_listening(moving)) == 1)
    return seen


def _status(moving: Moving) -> dict[str, Any]:
    return moving.daemon.api("GET", "/v1/status")


def _waiting(moving: Moving) -> list[str]:
    waiting: list[str] = _status(moving)["listen"]["waiting"]
    return waiting


def _listening(moving: Moving) -> list[str]:
    listening: list[str] = _status(moving)["listening"]
    return listening


def _joins_at(moving: Moving) -> bool:
    if not until(lambda: len(_listening(moving)) == 2):
        return False
    port = int(_listening(moving)[1].rpartition(":")[2])
    ((*_, place),) = socket.getaddrinfo(f"{LINK_LOCAL}%{LATE}", port, type=socket.SOCK_DGRAM)
    with Wire(cast(Address, place), "::") as wire:
        wire.join(moving.daemon.enroll().pledge())
    return True


def vanish(moving: Moving) -> dict[str, object]:
    """The address that the registrar listens on goes and comes back."""
    ip("address", "del", f"{LOOPBACK}/128", "dev", "lo")
    place = f"[{LOOPBACK}]:0"
    waits = until(lambda: place in _waiting(moving))
    said = moving.daemon.site.run("status").stdout
    ip("address", "add", f"{LOOPBACK}/128", "dev", "lo", "nodad")
    moving.told(moving.daemon.enroll())
    return {"waits": waits, "back": place not in _waiting(moving), "said": said}


def main(folder: Path) -> None:
    """Everything, in one daemon."""
    ip("link", "set", "lo", "up")
    site = Site.make(folder)
    site.change('listen = ["[::1]:0"]', f'listen = ["[::1]:0", "[{LINK_LOCAL}%{LATE}]:0"]')
    network = ("network", "add", "lab", "--network-id", "cafe", "--jrc-address-from", MESH)
    refused = site.attempt(*network, "--prefix-from", MESH)
    make(MESH)
    have(MESH, FIRST)
    site.run(*network, "--prefix-from", MESH)
    with site.start() as daemon:
        moving = Moving(daemon)
        found = {
            "late": come_late(moving),
            "renumbered": renumber(moving),
            "removed": remove(moving),
            "vanished": vanish(moving),
        }
        moving.wire.socket.close()
        code = daemon.stop()
    said = [event["event"] for event in daemon.events()]
    found["said"] = {name: name in said for name in ("prefix_changed", "no_jrc_address")}
    found["refused"] = {"code": refused.returncode, "says": refused.stderr, "ended": code}
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
