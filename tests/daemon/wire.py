"""A peer of the registrar: a UDP socket on loopback, and what it says and hears."""

import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple, Self

from jrc.cojp import message, oscore
from jrc.cojp.constants import CoapCode, MessageType, OptionNumber
from jrc.cojp.message import Inner, Message
from jrc.cojp.oscore_context import derive_for_jrc
from jrc.lab.configuration import LabConfiguration
from jrc.lab.pledge import Joined, Refused, SimulatedPledge

Address = tuple[str, int]
LOOPBACK = "::1"
ANSWER_WITHIN_S = 60.0
LARGEST_DATAGRAM = 65_527
"""What a UDP length field over IPv6 has room for (RFC 8200 §4.5, RFC 768)."""


class Heard(NamedTuple):
    """A datagram that came, from where, and with which traffic class."""

    payload: bytes
    sender: Address
    traffic_class: int


class Wire:
    """One socket; everything it is sent stays in its queue until it is read."""

    def __init__(self, server: Address, source: str = LOOPBACK) -> None:
        self.server = server
        self.socket = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind((source, 0))
        self.socket.settimeout(ANSWER_WITHIN_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.socket.close()

    def send(self, *datagrams: bytes, to: Address | None = None) -> None:
        """Send them, in this order."""
        for datagram in datagrams:
            self.socket.sendto(datagram, to or self.server)

    def hear(self) -> Heard:
        """The next datagram that has come or comes."""
        payload, ancillary, _, peer = self.socket.recvmsg(65_536, 256)
        traffic_class = -1
        for level, kind, data in ancillary:
            if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_TCLASS):
                (traffic_class,) = struct.unpack("@i", data)
        return Heard(payload, (peer[0], peer[1]), traffic_class)

    def ask(self, datagram: bytes) -> bytes:
        """The first datagram that comes after this one was sent."""
        self.send(datagram)
        return self.hear().payload

    def waiting(self) -> list[bytes]:
        """Everything that waits to be read at this moment."""
        self.socket.setblocking(False)
        found: list[bytes] = []
        with suppress(BlockingIOError):
            while True:
                found.append(self.socket.recv(65_536))
        self.socket.settimeout(ANSWER_WITHIN_S)
        return found

    def is_quiet(self) -> bool:
        """Whether nothing waits to be read."""
        return not self.waiting()

    def join(self, pledge: SimulatedPledge, token: bytes = b"\x77") -> LabConfiguration:
        """A join that must succeed, with the very next datagram as its answer."""
        heard = self.ask(pledge.request(token=token))
        outcome = pledge.receive(heard)
        assert isinstance(outcome, Joined), (outcome, heard.hex())
        return outcome.configuration

    def refusal(self, pledge: SimulatedPledge) -> Refused:
        """The protected refusal that a request gets."""
        outcome = pledge.receive(self.ask(pledge.request()))
        assert isinstance(outcome, Refused), outcome
        return outcome

    def assert_silence(self, datagrams: Iterable[bytes], witness: SimulatedPledge) -> None:
        """Nothing comes back for ``datagrams``: the answer to the witness is the first and last.

        The registrar reads a socket in order and commits in order, so that an answer to any of
        them would have come before the one to the witness.
        """
        self.send(*datagrams)
        self.join(witness)
        assert self.is_quiet()


class OddPledge:
    """A pledge that can protect any plaintext; our own OSCORE, in the other role."""

    def __init__(self, identifier: bytes, psk: bytes, number: int = 0) -> None:
        self.context = derive_for_jrc(psk, identifier).mirrored()
        self.number = number
        self.partial_iv = b""

    def request(
        self,
        payload: bytes = b"",
        *,
        plaintext: bytes | None = None,
        extra: message.Options = (),
        option: bytes | None = None,
        type: int = MessageType.CON,
        code: int = CoapCode.POST,
        token: bytes = b"\x11",
        message_id: int = 7,
    ) -> bytes:
        """A protected request with the next number; ``payload`` goes into a POST to ``j``."""
        if plaintext is None:
            path = ((int(OptionNumber.URI_PATH), b"j"),)
            plaintext = message.encode_inner(CoapCode.POST, path, payload)
        self.partial_iv = oscore.encode_piv(self.number)
        self.number += 1
        value, ciphertext = oscore.protect_request(
            self.context, self.partial_iv, plaintext, with_kid_context=True
        )
        options = ((int(OptionNumber.OSCORE), value if option is None else option), *extra)
        return message.encode(Message(type, code, message_id, token, options, ciphertext))

    def open(self, datagram: bytes) -> Inner:
        """What an answer to the last request says."""
        outer = message.decode(datagram)
        (value,) = message.option_values(outer.options, OptionNumber.OSCORE)
        option = oscore.decode_option(value)
        plaintext = oscore.unprotect_response(
            self.context, b"", self.partial_iv, option, outer.payload
        )
        return message.decode_inner(plaintext)


def ciphertext_of(datagram: bytes) -> bytes:
    """The protected part of a message."""
    return message.decode(datagram).payload


def with_header(datagram: bytes, *, type: int, message_id: int, token: bytes) -> bytes:
    """The same OSCORE message as a stateless proxy sends it once more."""
    outer = message.decode(datagram)
    return message.encode(outer._replace(type=type, message_id=message_id, token=token))
