"""All nodes of a network on one socket: ``python -m benchmarks.nodes COUNT``.

Each has a global address of its own: the prefix is local to this host as a whole. They take every
Parameter Update at once; whether it is one is checked, so that nothing else is measured. A line on
standard input is answered with the number of nodes that were told, by the key ids they have.
"""

import json
import select
import socket
import sys
from contextlib import suppress

from benchmarks.fleet import PREFIX, Fleet, SimulatedPledge
from jrc.cojp import codec, message, oscore
from jrc.cojp.constants import JRC_ID, CoapCode, MessageType, OptionNumber
from jrc.cojp.message import Message
from jrc.lab.station import COAP_PORT, Asked, long_address, open_socket, receive, send


class Nodes:
    """Every pledge of a fleet, by its address."""

    def __init__(self, count: int) -> None:
        self._by_address = {
            long_address(PREFIX, pledge.identifier): pledge for pledge in Fleet(count).pledges()
        }
        self._key_ids: dict[bytes, tuple[int, ...]] = {}
        self._last: dict[bytes, tuple[bytes, bytes]] = {}
        self._answer = message.encode_inner(CoapCode.CHANGED, (), b"")

    def answer(self, asked: Asked) -> bytes | None:
        """The answer to a Parameter Update (RFC 9031 §8.2.1); a copy gets the same one."""
        pledge = self._by_address.get(asked.address)
        if pledge is None:
            return None
        last = self._last.get(asked.address)
        if last is not None and last[0] == asked.data:
            return last[1]
        reply = self._served(pledge, message.decode(asked.data), asked.address)
        self._last[asked.address] = asked.data, reply
        return reply

    def _served(self, pledge: SimulatedPledge, outer: Message, address: bytes) -> bytes:
        (value,) = message.option_values(outer.options, OptionNumber.OSCORE)
        piv = oscore.decode_option(value).piv or b""
        inner = message.decode_inner(
            oscore.unprotect_request(pledge.security, piv, JRC_ID, outer.payload)
        )
        config = codec.decode_configuration(inner.payload)
        self._key_ids[address] = tuple(key.key_id for key in config.keys)
        option, ciphertext = oscore.protect_response(pledge.security, JRC_ID, piv, self._answer)
        return message.encode_response(
            MessageType.ACK,
            CoapCode.CHANGED,
            outer.message_id,
            outer.token,
            ((OptionNumber.OSCORE, option),),
            ciphertext,
        )

    def told(self) -> dict[str, int]:
        """How many nodes have which key ids."""
        counts: dict[str, int] = {}
        for key_ids in self._key_ids.values():
            name = " ".join(map(str, key_ids))
            counts[name] = counts.get(name, 0) + 1
        return counts


def serve(nodes: Nodes, sock: socket.socket) -> None:
    """Answer until standard input ends."""
    print("ready", flush=True)
    while True:
        ready, _, _ = select.select([sock, sys.stdin], [], [])
        with suppress(BlockingIOError):
            while True:
                asked = receive(sock)
                reply = nodes.answer(asked)
                if reply is not None:
                    send(sock, reply, asked)
        if sys.stdin in ready:
            if not sys.stdin.readline():
                return
            print(json.dumps(nodes.told()), flush=True)


if __name__ == "__main__":
    with open_socket(COAP_PORT) as opened:
        serve(Nodes(int(sys.argv[1])), opened)
