"""Datagrams of pledges without an end: ``python -m tests.hosts.flooder ADDRESS PROXY_PID``.

Each line of standard input is a number: so many are sent to the Join Proxy at the link-local
address, as fast as it reads them, half of them Join Requests and half noise. Then a line of JSON
tells how many found no room in its socket.
"""

import json
import random
import socket
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from jrc.cojp import message
from jrc.cojp.constants import MessageType
from jrc.lab.pledge import SimulatedPledge
from jrc.model import Secret
from tests.hosts.crowd import CAFE
from tests.hosts.talker import place
from tests.hosts.topology import COAP_PORT

UNSEEN = bytes.fromhex("02000000deadbeef")
_CHUNK = 128
_FULL_ENOUGH_BYTES = 64 * 1024
_LOOK_AGAIN_S = 0.0005
_WAITING, _DROPS = 4, -1
"""Columns of /proc/net/udp6."""


def datagrams() -> Iterator[bytes]:
    """A Join Request with a message id and a token of its own, then noise, and so on."""
    draw = random.Random(9031)
    first = SimulatedPledge(UNSEEN, Secret(bytes(range(16))), CAFE).request(token=b"\x77")
    joins = message.decode(first)._replace(type=MessageType.CON)
    number = 0
    while True:
        number += 1
        own = joins._replace(message_id=number & 0xFFFF, token=(number & 0xFFFFFF).to_bytes(3))
        yield message.encode(own)
        yield draw.randbytes(draw.randint(1, 200))


def queue(pid: int) -> tuple[int, int]:
    """Bytes that wait in the proxy's socket, and datagrams that it had no room for."""
    waiting = dropped = 0
    for line in Path(f"/proc/{pid}/net/udp6").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1].endswith(f":{COAP_PORT:04X}"):
            waiting += int(fields[_WAITING].partition(":")[2], 16)
            dropped += int(fields[_DROPS])
    return waiting, dropped


def send(sock: socket.socket, pid: int, some: Iterator[bytes]) -> int:
    """Send them as they are read; how many found no room."""
    before = queue(pid)[1]
    while chunk := list(islice(some, _CHUNK)):
        for datagram in chunk:
            sock.send(datagram)
        while queue(pid)[0] > _FULL_ENOUGH_BYTES:
            time.sleep(_LOOK_AGAIN_S)
    while queue(pid)[0]:
        time.sleep(_LOOK_AGAIN_S)
    return queue(pid)[1] - before


def main(address: str, pid: int) -> None:
    """Until standard input ends."""
    endless = datagrams()
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.connect(place(address, COAP_PORT))
        for order in sys.stdin:
            lost = send(sock, pid, islice(endless, int(order)))
            print(json.dumps({"lost": lost}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
