"""A stand-in registrar for tests of the lab: our own codec and OSCORE around one fixed answer."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

from jrc.cojp import message, oscore
from jrc.cojp.constants import CoapCode, MessageType, OptionNumber
from jrc.cojp.message import Message
from jrc.cojp.oscore_context import derive_for_jrc

CONFIGURATION = bytes.fromhex("a202820150e6bf4287c2d7618d6a9687445ffd33e6038142af93")
"""RFC 9031 App. A."""


@dataclass
class Registrar(asyncio.DatagramProtocol):
    """Answers whoever has a context; ``losses`` says of each answer whether it is lost."""

    psks: Mapping[bytes, bytes]
    code: int = CoapCode.CHANGED
    payload: bytes = CONFIGURATION
    losses: Iterator[bool] = field(default_factory=lambda: iter(()))
    received: list[Message] = field(default_factory=list)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        request = message.decode(data)
        self.received.append(request)
        if not next(self.losses, False):
            self.transport.sendto(self.answer(request), addr)

    def answer(self, request: Message) -> bytes:
        """The protected answer to a request, piggybacked on a CON, a NON to a NON."""
        (value,) = message.option_values(request.options, OptionNumber.OSCORE)
        option = oscore.decode_option(value)
        assert option.piv is not None
        assert option.kid_context is not None
        assert option.kid == b""
        context = derive_for_jrc(self.psks[option.kid_context], option.kid_context)
        oscore.unprotect_request(context, option.piv, option.kid, request.payload)
        plaintext = message.encode_inner(self.code, (), self.payload)
        reply, ciphertext = oscore.protect_response(context, option.kid, option.piv, plaintext)
        is_con = request.type == MessageType.CON
        return message.encode_response(
            MessageType.ACK if is_con else MessageType.NON,
            CoapCode.CHANGED,
            request.message_id,
            request.token,
            ((OptionNumber.OSCORE, reply),),
            ciphertext,
        )
