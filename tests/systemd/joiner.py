"""Joins from inside a container: ``python -m tests.systemd.joiner FILE ADDRESS [END]``.

FILE has a line `identifier key` for each pledge. Each joins at ADDRESS, port 5683; where END is
named, again and again until that file is there, and then once more. What became of them is printed
as JSON. A request without an answer is sent again (RFC 7252 §4.2). Beside them somebody sends a
byte each half a millisecond: were the port closed for a moment, an ICMP error would say so, which
is counted as refused.
"""

import json
import secrets
import socket
import sys
import threading
import time
from pathlib import Path

from jrc.lab.pledge import Joined, SimulatedPledge
from jrc.model import Secret

PORT = 5683
Place = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
"""As ``getaddrinfo`` has it."""
CAFE = bytes.fromhex("cafe")
ACK_TIMEOUT_S = 2.0
TRANSMISSIONS = 5
_KNOCK_S = 0.0005


def main() -> None:
    file, address, *end = sys.argv[1:]
    _, _, _, _, place = socket.getaddrinfo(address, PORT, type=socket.SOCK_DGRAM)[0]
    pledges = [_pledge(line) for line in Path(file).read_text().splitlines()]
    counts = {"joined": 0, "repeated": 0, "refused": 0, "lost": 0}
    knocking = threading.Thread(target=_knock, args=(place, counts), daemon=True)
    knocking.start()
    print("begun", flush=True)
    while end and not Path(*end).exists():
        _join_all(pledges, place, counts)
    _join_all(pledges, place, counts)
    print(json.dumps(counts), flush=True)


def _knock(place: Place, counts: dict[str, int]) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as end:
        end.connect(place)
        while True:
            try:
                end.send(b"\0")
            except ConnectionRefusedError:
                counts["refused"] += 1
            time.sleep(_KNOCK_S)


def _pledge(line: str) -> SimulatedPledge:
    identifier, key = map(bytes.fromhex, line.split())
    # It remembers nothing of an earlier run: what it counts by has gone on since.
    first_number = time.time_ns() // 10_000_000
    return SimulatedPledge(identifier, Secret(key), CAFE, first_number=first_number)


def _join_all(pledges: list[SimulatedPledge], place: Place, counts: dict[str, int]) -> None:
    for pledge in pledges:
        _join(pledge, place, counts)


def _join(pledge: SimulatedPledge, place: Place, counts: dict[str, int]) -> None:
    datagram = pledge.request(token=secrets.token_bytes(4))
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as end:
        end.connect(place)
        end.settimeout(ACK_TIMEOUT_S)
        for turn in range(TRANSMISSIONS):
            counts["repeated"] += turn > 0
            try:
                end.send(datagram)
                answer = end.recv(2048)
            except ConnectionRefusedError:
                counts["refused"] += 1
            except TimeoutError:
                continue
            else:
                assert isinstance(pledge.receive(answer), Joined)
                counts["joined"] += 1
                return
        counts["lost"] += 1


if __name__ == "__main__":
    main()
