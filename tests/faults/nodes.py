"""Nodes that hear Parameter Updates (RFC 9031 §8.2), and tell the witness of each.

They have all addresses of the nodes' prefix on this host (``tests/daemon/crew.py``).
"""

import random
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import IPv6Address
from typing import Self

from jrc.cojp import message, oscore
from jrc.cojp.constants import CoapCode, MessageType, OptionNumber
from jrc.cojp.message import Message
from jrc.cojp.oscore_context import SecurityContext
from jrc.errors import PeerError
from jrc.lab import configuration
from jrc.lab.station import Asked, long_address, open_socket, receive, send
from tests.daemon.crew import PREFIX
from tests.faults.peers import Peer, Peers
from tests.faults.witness import Witness

PORT = 5683
LOSS = 0.1
"""Of updates, and of their answers."""
_SHORT_IID = 0x0000_00FF_FE00_0000
_LOOK_AGAIN_S = 0.2


class Nodes:
    """One socket for all of them, in a thread of its own; a context manager that ends it."""

    def __init__(self, peers: Peers, witness: Witness, seed: int, loss: float = LOSS) -> None:
        self.heard = 0
        self._peers = peers
        self._witness = witness
        self._chance = random.Random(seed)
        self._loss = loss
        self._by_address: dict[bytes, Peer] = {}
        self._indexed = 0
        self._newer: dict[bytes, tuple[bytes, SecurityContext]] = {}
        self._socket = open_socket(PORT)
        self._socket.settimeout(_LOOK_AGAIN_S)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()

    def use(self, contexts: Mapping[bytes, SecurityContext]) -> None:
        """These nodes have new contexts, by identifier (RFC 8613 App. B.2); the old ones stay."""
        for identifier, context in contexts.items():
            assert context.id_context is not None
            self._newer[identifier] = (context.id_context, context)

    def _run(self) -> None:
        while not self._ended.is_set():
            with suppress(TimeoutError, socket.timeout):
                self._hear(receive(self._socket))

    def _hear(self, asked: Asked) -> None:
        peer = self._at(asked.address)
        outer = message.decode(asked.data)
        values = message.option_values(outer.options, OptionNumber.OSCORE)
        if peer is None or not values:
            return
        option = oscore.decode_option(values[0])
        piv, kid = option.piv or b"", option.kid or b""
        for name, context in self._contexts_of(peer):
            try:
                plaintext = oscore.unprotect_request(context, piv, kid, outer.payload)
            except PeerError:
                continue
            self.heard += 1
            self._witness.told(name, oscore.decode_piv(piv), outer.payload)
            self._note(peer, plaintext)
            if self._chance.random() > 2 * self._loss:
                send(self._socket, _answer(context, outer, kid, piv), asked)
            return

    def _contexts_of(self, peer: Peer) -> list[tuple[bytes, SecurityContext]]:
        """The newest first, each with the name that its numbers go by."""
        newer = self._newer.get(peer.identifier)
        return [*([newer] if newer else ()), (peer.identifier, peer.odd.context)]

    def _note(self, peer: Peer, plaintext: bytes) -> None:
        given = configuration.read(message.decode_inner(plaintext).payload)
        short_id = given.short_id or self._witness.held.get(peer.identifier)
        if short_id is not None:
            self._witness.holds(peer.identifier, short_id, [k.value.reveal() for k in given.keys])

    def _at(self, address: bytes) -> Peer | None:
        """Whose address it is: made of an EUI-64, or of a short identifier."""
        for peer in self._peers[self._indexed :]:
            self._by_address[long_address(PREFIX, peer.identifier)] = peer
            self._indexed += 1
        return self._by_address.get(address) or self._at_short(address)

    def _at_short(self, address: bytes) -> Peer | None:
        for peer in self._peers:
            short_id = self._witness.held.get(peer.identifier)
            if short_id is not None and not peer.gone and address == _short(short_id):
                return peer
        return None


def _short(short_id: bytes) -> bytes:
    """RFC 4944 §6, RFC 6282 §3.2.2."""
    iid = _SHORT_IID | int.from_bytes(short_id)
    return IPv6Address(int(PREFIX.network_address) | iid).packed


def _answer(context: SecurityContext, outer: Message, kid: bytes, piv: bytes) -> bytes:
    said = message.encode_inner(CoapCode.CHANGED, (), b"")
    option, ciphertext = oscore.protect_response(context, kid, piv, said)
    return message.encode(
        Message(
            MessageType.ACK,
            CoapCode.CHANGED,
            outer.message_id,
            outer.token,
            ((int(OptionNumber.OSCORE), option),),
            ciphertext,
        )
    )
