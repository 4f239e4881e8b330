"""The Join Proxy as a node whose registrar has lost its state (row B7, RFC 8613 App. B.2)."""

from collections.abc import Iterator
from pathlib import Path

import cbor2
import pytest

from jrc.coap.proxy_state import NodeState
from jrc.cojp import codec, message, oscore, recovery
from jrc.cojp.constants import CoapCode, MessageType
from jrc.cojp.message import Message
from jrc.cojp.oscore_context import derive_for_jrc
from jrc.cojp.replay import ReplayWindow
from tests.coap.proxy_registrar import BLOCKED, OSCORE, PLEDGE, PSK, Registrar, option_of, run

R2 = bytes(range(16))


class Recovering(Registrar):
    """A registrar that answers the first request with response #1."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.node._derive = lambda id_context: derive_for_jrc(PSK.reveal(), id_context).mirrored()
        self.id3 = b""

    def offer(self, request: Message) -> bytes:
        """Response #1 (step 2)."""
        _, piv = self.open(request)
        context = derive_for_jrc(PSK.reveal(), R2 + PLEDGE)
        inner = message.encode_inner(CoapCode.UNAUTHORIZED, (), b"")
        _, ciphertext = oscore.protect_response(context, b"", piv, inner)
        return self.ack(request, recovery.response_option(R2), ciphertext)

    def admit(self, request: Message) -> bytes:
        """Response #2: the kid context is R2 || R3 in a CBOR bstr (step 3)."""
        option = oscore.decode_option(option_of(request))
        self.id3 = cbor2.loads(option.kid_context or b"")
        assert self.id3.startswith(R2)
        assert 8 == len(self.id3) - len(R2)
        self.context = derive_for_jrc(PSK.reveal(), self.id3)
        assert option.piv is not None
        oscore.unprotect_request(self.context, option.piv, b"", request.payload)
        inner = message.encode_inner(CoapCode.CHANGED, (), codec.encode_configuration(BLOCKED))
        _, ciphertext = oscore.protect_response(self.context, b"", option.piv, inner)
        return self.ack(request, b"", ciphertext)

    def ack(self, request: Message, option: bytes, ciphertext: bytes) -> bytes:
        """A piggybacked answer."""
        options = ((OSCORE, option),)
        fields = (MessageType.ACK, CoapCode.CHANGED, request.message_id, request.token, options)
        return message.encode(Message(*fields, ciphertext))


@pytest.fixture
def registrar(tmp_path: Path) -> Iterator[Recovering]:
    made = Recovering(tmp_path / "state")
    yield made
    made.state.close()


def test_b07_a_proxy_takes_the_new_context_and_keeps_it(
    registrar: Recovering, tmp_path: Path
) -> None:
    """RFC 8613 App. B.2 step 3, 5: on disk, with an empty window, before the join counts."""
    registrar.script = [registrar.offer, registrar.admit]
    run(registrar.node.join())
    assert [(BLOCKED, True)] == registrar.configured
    update = registrar.update(BLOCKED)
    assert CoapCode.CHANGED == registrar.ask(update).code
    registrar.state.close()
    again = NodeState.open(tmp_path / "state", PLEDGE, PSK)
    assert registrar.id3 == again.id_context
    assert again.window == ReplayWindow(registrar.number - 1, 1)
    again.close()


def test_b07_a_lost_response_2_begins_anew_under_the_old_context(registrar: Recovering) -> None:
    """Step 5: only what verified replaces the context."""
    registrar.script = [registrar.offer, *([lambda _: None] * 5), registrar.offer, registrar.admit]
    run(registrar.node.join())
    assert [(BLOCKED, True)] == registrar.configured
    assert registrar.state.id_context == registrar.id3


def test_b07_a_forged_response_1_is_nothing(registrar: Recovering) -> None:
    """Step 3: it verifies under R2 || ID1, or it was not said."""

    def forged(request: Message) -> bytes:
        return registrar.ack(request, recovery.response_option(R2), bytes(9))

    registrar.script = [forged, registrar.config()]
    run(registrar.node.join())
    assert registrar.state.id_context is None
    assert registrar.dropped
