"""Run inside a network namespace of its own: asks a registrar at two addresses and at a group.

``python -m tests.daemon.namespace FOLDER`` prints what came of it as JSON. Loopback has one
IPv6 address only and no multicast, so both need a namespace.
"""

import json
import socket
import subprocess
import sys
from pathlib import Path

from jrc.cojp import message
from jrc.lab.pledge import Joined
from jrc.service.copies import MAX_COPY_RESENDS
from tests.daemon.site import Daemon, Site
from tests.daemon.wire import LOOPBACK, Wire, ciphertext_of, with_header

OTHER = "fd00:6:715c::1"
THIRD = "fd00:6:715c::2"
LINK = "near"
COPIES = MAX_COPY_RESENDS + 2
"""From each address: more than its share."""
ON_LINK = "fd00:6:715d::1"
GROUP = "ff02::1"
"""All nodes: the group that every interface is in unasked (RFC 4291 §2.8)."""


def prepare() -> None:
    """Two more addresses on loopback, and a link: loopback has no multicast."""
    for command in (
        ("link", "set", "lo", "up"),
        ("address", "add", f"{OTHER}/128", "dev", "lo", "nodad"),
        ("address", "add", f"{THIRD}/128", "dev", "lo", "nodad"),
        ("link", "add", LINK, "type", "veth", "peer", "name", "far"),
        ("link", "set", LINK, "up"),
        ("address", "add", f"{ON_LINK}/64", "dev", LINK, "nodad"),
    ):
        subprocess.run(("ip", "-6", *command), check=True, capture_output=True)


def asked_at(daemon: Daemon, address: str) -> bool:
    """Whether an answer leaves from the address and port that were asked."""
    with Wire(daemon.address) as wire:
        wire.send(daemon.enroll().pledge().request(), to=(address, daemon.address[1]))
        return wire.hear().sender == (address, daemon.address[1])


def asked_as_group(daemon: Daemon) -> dict[str, int]:
    """Datagrams that came back from a group, and the drops that were counted."""
    with Wire(daemon.address, ON_LINK) as wire:
        link = socket.if_nametoindex(LINK)
        wire.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, link)
        request = daemon.enroll().pledge().request()
        wire.send(request, to=(GROUP, daemon.address[1]))
        wire.join(daemon.enroll().pledge())
        return {"heard": len(wire.waiting()), **daemon.dropped()}


def copies_to(daemon: Daemon) -> dict[str, int]:
    """How many copies of one request are answered, by the address that asked."""
    answered: dict[str, int] = {}
    request = daemon.enroll().pledge().request()
    with Wire(daemon.address) as first:
        answer = ciphertext_of(first.ask(request))
    for source in (LOOPBACK, OTHER, THIRD):
        with Wire(daemon.address, source) as wire:
            for number in range(COPIES):
                wire.send(with_header(request, type=1, message_id=number, token=b"\xc0"))
            wire.send(daemon.enroll().pledge().request(token=b"\x77"))
            heard = [message.decode(wire.hear().payload)]
            while heard[-1].token != b"\x77":
                heard.append(message.decode(wire.hear().payload))
        answered[source] = sum(answer == each.payload for each in heard[:-1])
    return answered


def joined_through(daemon: Daemon, source: str) -> bool:
    """Whether a pledge joins from an address."""
    with Wire(daemon.address, source) as wire:
        pledge = daemon.enroll().pledge()
        return isinstance(pledge.receive(wire.ask(pledge.request())), Joined)


def main(folder: Path) -> None:
    """Everything, in one daemon that listens on the wildcard address."""
    prepare()
    site = Site.make(folder, listen="[::]:0")
    site.add_lab()
    with site.start() as daemon:
        found = {
            "from_where_asked": [asked_at(daemon, at) for at in (LOOPBACK, OTHER, THIRD)],
            "group": asked_as_group(daemon),
            "copies": copies_to(daemon),
            "joined": joined_through(daemon, OTHER),
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
