"""Run inside a network namespace of its own: an update to a node of the Join Proxy's own link.

``python -m tests.coap.update_namespace`` prints what came of it as JSON. The node is another
process with a namespace of its own, at the far end of a link; registrar and Join Proxy share the
socket on port 5683.
"""

import asyncio
import json
import secrets
import socket
import struct
import subprocess
import sys
import time
from ipaddress import IPv6Address
from itertools import count

from jrc.coap.endpoint import COAP_PORT, Datagram, Endpoint, bind
from jrc.coap.proxy_endpoint import ProxyEndpoint, SharedSide
from jrc.coap.update_driver import UpdateDriver
from jrc.coap.updates import UpdateClient
from jrc.service.update_ports import UpdateOutcome
from tests.coap.test_proxy import make_proxy
from tests.coap.update_bed import FAST, Bed, Node

RADIO = "lowpan0"
FAR = "radio0"
LBR = "2001:db8:1::1"
NODE = "2001:db8:1::7"
WITHIN_S = 60.0


def ip(*words: str) -> None:
    subprocess.run(("ip", "-6", *words), check=True, capture_output=True)


def come_up(interface: str, address: str) -> None:
    """An address on an interface that comes."""
    deadline = time.monotonic() + WITHIN_S
    while interface not in (name for _, name in socket.if_nameindex()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    ip("link", "set", interface, "up")
    ip("address", "add", f"{address}/64", "dev", interface, "nodad")


def node() -> None:
    """Answers one update from where it came to, and prints its traffic class and its source."""
    print("ready", flush=True)
    come_up(FAR, NODE)
    joined = Node()
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
        sock.settimeout(WITHIN_S)
        sock.bind((NODE, COAP_PORT))
        print("bound", flush=True)
        data, ancillary, _, source = sock.recvmsg(2048, 64)
        sock.sendto(joined.answer(data), source)
        (traffic_class,) = (struct.unpack("@i", value)[0] for _, _, value in ancillary)
    print(json.dumps({"traffic_class": traffic_class, "source": source[:2]}), flush=True)


async def updated(listener: socket.socket) -> dict[str, object]:
    """What became of an update, on the socket that the proxy shares."""
    loop = asyncio.get_running_loop()
    interface = socket.if_nametoindex(RADIO)
    outcomes: list[UpdateOutcome] = []
    left: list[Datagram] = []
    proxy = ProxyEndpoint(make_proxy(), lambda: 0, is_ours=lambda index: index == interface)
    proxy.share(SharedSide(listener, IPv6Address("fe80::1").packed, interface))
    endpoint = Endpoint([listener], lambda batch: left.extend(driver.receive(proxy.take(batch))))
    numbers = count()

    def send(data: bytes, address: IPv6Address) -> bool:
        way = endpoint.way_to(address)
        return way is not None and endpoint.ask(data, way)

    client = UpdateClient(
        send,
        Bed(),
        loop.time,
        secrets.token_bytes,
        outcomes.extend,
        lambda _reason: None,
        lambda: next(numbers),
        FAST,
    )
    driver = UpdateDriver(client, loop)
    endpoint.start(loop)
    driver.begin(Node().update(address=IPv6Address(NODE)))
    async with asyncio.timeout(WITHIN_S):
        while not outcomes:  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)
    endpoint.stop_reading()
    (outcome,) = outcomes
    return {
        "answer": outcome.answer and [outcome.answer.code, outcome.answer.payload.hex()],
        "left": len(left),
        "dropped": dict(proxy.proxy.dropped),
    }


def main() -> None:
    ip("link", "set", "lo", "up")
    command = ("unshare", "--net", sys.executable, "-m", "tests.coap.update_namespace", "node")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == "ready\n"
            ip("link", "add", RADIO, "type", "veth", "peer", "name", FAR, "netns", str(child.pid))
            come_up(RADIO, LBR)
            assert child.stdout.readline() == "bound\n"
            with bind("::", COAP_PORT) as listener:
                found = asyncio.run(updated(listener))
            seen = json.loads(child.stdout.readline())
        finally:
            child.kill()
    print(json.dumps({**found, **seen}))


if __name__ == "__main__":
    node() if sys.argv[1:] else main()
