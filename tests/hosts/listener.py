"""Reads UDP off an interface, below every socket: ``python -m tests.hosts.listener INTERFACE``.

Prints a line of JSON for each datagram of port 5683, until its standard input ends.
"""

import json
import select
import socket
import struct
import sys
import time

ETH_P_ALL = 0x0003
"""With one protocol alone the kernel shows what arrives, and not what leaves (packet(7))."""
ETH_P_IPV6 = 0x86DD
IPV6_HEADER = struct.Struct(">IHBB16s16s")
UDP_HEADER = struct.Struct(">HHHH")
UDP = 17
COAP_PORT = 5683


def datagram_of(packet: bytes) -> dict[str, object] | None:
    """What a packet tells, ``None`` where it is no CoAP (RFC 8200 §3, RFC 768)."""
    if len(packet) < IPV6_HEADER.size + UDP_HEADER.size:
        return None
    first, _, following, _, source, target = IPV6_HEADER.unpack_from(packet)
    if following != UDP:
        return None
    ports = UDP_HEADER.unpack_from(packet, IPV6_HEADER.size)
    if COAP_PORT not in ports[:2]:
        return None
    return {
        "at_s": time.monotonic(),
        "dscp": first >> 22 & 0x3F,
        "from": socket.inet_ntop(socket.AF_INET6, source),
        "to": socket.inet_ntop(socket.AF_INET6, target),
        "from_port": ports[0],
        "to_port": ports[1],
        "payload": packet[IPV6_HEADER.size + UDP_HEADER.size :].hex(),
    }


def main(interface: str) -> None:
    """Until standard input ends."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL)) as tap:
        tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        tap.bind((interface, ETH_P_ALL))
        print("listening", flush=True)
        while True:
            ready, _, _ = select.select([tap, sys.stdin], [], [])
            if tap not in ready:
                return
            packet, origin = tap.recvfrom(65536)
            found = datagram_of(packet) if origin[1] == ETH_P_IPV6 else None
            if found is not None:
                print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
