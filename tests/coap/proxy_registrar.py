"""A registrar of the test's own in front of the Join Proxy as a node."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from jrc.coap.proxy_node import ProxyNode, Timing
from jrc.coap.proxy_state import NodeState
from jrc.cojp import codec, message, oscore
from jrc.cojp.constants import (
    JRC_ID,
    NUMBERS_EPOCH_S,
    CoapCode,
    MessageType,
    OptionNumber,
)
from jrc.cojp.message import Inner, Message
from jrc.cojp.objects import Configuration, LinkLayerKey
from jrc.cojp.oscore_context import derive_for_jrc
from jrc.errors import Reason
from jrc.model import Secret

PLEDGE = bytes.fromhex("00124b0014b5b6ff")
PSK = Secret(bytes(range(16)))
SHORT = Timing(0.02, 1.0, 4, first_backoff_s=0.01, max_backoff_s=0.02, rejoin_s=0.05)
BLOCKED = Configuration(blocklist=(b"bad",), join_rate_bytes_per_s=77)
KEYS = Configuration(keys=(LinkLayerKey(1, Secret(bytes(range(16)))),))
OSCORE = int(OptionNumber.OSCORE)
PATH = ((int(OptionNumber.URI_PATH), b"j"),)


class Ticking:
    """A clock that is a second on each time it is asked."""

    def __init__(self) -> None:
        self._now_s = NUMBERS_EPOCH_S + 1000

    def now_ms(self) -> int:
        self._now_s += 1
        return self._now_s * 1000


class Registrar:
    """The other end: our OSCORE in the JRC's role, and what the node has sent."""

    def __init__(self, path: Path, timing: Timing = SHORT) -> None:
        self.context = derive_for_jrc(PSK.reveal(), PLEDGE)
        self.state = NodeState.open(path, PLEDGE, PSK)
        self.configured: list[tuple[Configuration, bool]] = []
        self.sent: list[bytes] = []
        self.dropped: list[Reason] = []
        self.script: list[Callable[[Message], bytes | None]] = []
        self._random = iter(range(1, 10_000))
        self.number = 5000
        self.node = ProxyNode(
            self.context.mirrored(),
            b"\xca\xfe",
            self.state,
            Ticking(),
            lambda size: next(self._random).to_bytes(size),
            self._take,
            lambda config, whole: self.configured.append((config, whole)),
            self.dropped.append,
            timing,
        )

    def _take(self, datagram: bytes) -> bool:
        """Answer as scripted, once the node waits; without a script there is silence."""
        self.sent.append(datagram)
        answer = self.script.pop(0)(message.decode(datagram)) if self.script else None
        if answer is not None:
            asyncio.get_running_loop().call_soon(self.node.receive, answer)
        return True

    def open(self, request: Message) -> tuple[Inner, bytes]:
        """What the node asks for, and its Partial IV."""
        option = oscore.decode_option(option_of(request))
        assert (option.kid, option.kid_context) == (b"", PLEDGE)
        assert option.piv is not None
        plain = oscore.unprotect_request(self.context, option.piv, b"", request.payload)
        return message.decode_inner(plain), option.piv

    def answer(
        self, request: Message, code: int = CoapCode.CHANGED, payload: bytes = b"", **fields: object
    ) -> bytes:
        """A protected answer, piggybacked if ``fields`` don't say otherwise."""
        _, piv = self.open(request)
        inner = message.encode_inner(code, (), payload)
        value, ciphertext = oscore.protect_response(self.context, b"", piv, inner)
        made = Message(
            MessageType.ACK,
            CoapCode.CHANGED,
            request.message_id,
            request.token,
            ((OSCORE, value),),
            ciphertext,
        )
        return message.encode(made._replace(**fields))  # type: ignore[arg-type]

    def config(
        self, config: Configuration = BLOCKED, **fields: object
    ) -> Callable[[Message], bytes]:
        """A Join Response."""
        payload = codec.encode_configuration(config)
        return lambda request: self.answer(request, CoapCode.CHANGED, payload, **fields)

    def request(
        self,
        payload: bytes,
        *,
        options: message.Options = PATH,
        code: int = CoapCode.POST,
        number: int | None = None,
        type: int = MessageType.CON,
        option: bytes | None = None,
        token: bytes = b"upd",
    ) -> bytes:
        """A Parameter Update, with the next number."""
        if number is None:
            number, self.number = self.number, self.number + 1
        piv = oscore.encode_piv(number)
        value, ciphertext = oscore.protect_request(
            self.context, piv, message.encode_inner(code, options, payload), with_kid_context=False
        )
        shown = ((OSCORE, value if option is None else option),)
        return message.encode(Message(type, CoapCode.POST, 99, token, shown, ciphertext))

    def update(self, config: Configuration, **fields: object) -> bytes:
        return self.request(codec.encode_configuration(config), **fields)  # type: ignore[arg-type]

    def read(self, answer: bytes, request: bytes) -> Inner:
        """What the node answers to an update."""
        piv = oscore.decode_option(option_of(message.decode(request))).piv
        outer = message.decode(answer)
        assert piv is not None
        plain = oscore.unprotect_response(
            self.context, JRC_ID, piv, oscore.decode_option(option_of(outer)), outer.payload
        )
        return message.decode_inner(plain)

    def ask(self, request: bytes) -> Inner:
        """The node's one answer to an update."""
        (answer,) = self.node.receive(request)
        return self.read(answer, request)

    def made_fresh(self) -> "Registrar":
        """The node takes updates from now on."""
        self.state.accept(0)
        return self


def option_of(outer: Message) -> bytes:
    (value,) = message.option_values(outer.options, OSCORE)
    return value


def run(work: Awaitable[None]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(work, 20)

    asyncio.run(bounded())
