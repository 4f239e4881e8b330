"""A UDP socket on a host, steered from outside: ``python -m tests.hosts.talker ADDRESS PORT``.

Each line of standard input is JSON with ``to`` (address, port) and ``payload`` (hex); each datagram
that comes is printed as JSON with ``from`` and ``payload``. It ends with its standard input.
"""

import json
import os
import select
import socket
import sys

MAX_DATAGRAM = 65536


def place(address: str, port: int) -> tuple[str, int, int, int]:
    """The socket address of an address that may have a zone."""
    host, _, zone = address.partition("%")
    return host, port, 0, socket.if_nametoindex(zone) if zone else 0


def serve(sock: socket.socket, orders: int) -> None:
    """Send and print until the file descriptor ``orders`` ends."""
    waiting = b""
    while True:
        ready, _, _ = select.select([sock.fileno(), orders], [], [])
        if sock.fileno() in ready:
            payload, source = sock.recvfrom(MAX_DATAGRAM)
            print(json.dumps({"from": source[:2], "payload": payload.hex()}), flush=True)
        if orders in ready:
            # Read as it comes: what a buffered reader holds, select does not see.
            more = os.read(orders, 1 << 16)
            if not more:
                return
            *lines, waiting = (waiting + more).split(b"\n")
            for line in lines:
                order = json.loads(line)
                sock.sendto(bytes.fromhex(order["payload"]), place(*order["to"]))


if __name__ == "__main__":
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as own:
        own.bind(place(sys.argv[1], int(sys.argv[2])))
        print(json.dumps({"bound": own.getsockname()[1]}), flush=True)
        serve(own, sys.stdin.fileno())
