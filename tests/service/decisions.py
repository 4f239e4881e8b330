"""Requests decided in a transaction that is played, and their answers as pledges read them."""

from jrc.cojp import message, oscore
from jrc.cojp.codec import decode_configuration
from jrc.cojp.constants import CoapCode
from jrc.cojp.envelope import digest, open_request
from jrc.cojp.message import Inner
from jrc.cojp.objects import Configuration
from jrc.errors import Reason
from jrc.service.intake import read_request
from jrc.service.join import Ask, Outcome, decide
from jrc.service.join_ports import KnownContext, NodePlace
from tests.daemon.wire import OddPledge
from tests.service.fakes import NOW_MS, Ground, Path, device

JOIN = bytes.fromhex("a10542cafe")


AS_6LBR = bytes.fromhex("a201010542cafe")


PEER = Path(bytes(15) + b"\x05")
AT_HOME = NodePlace(1, 0, 11)
"""Where a pledge of the lab network has joined under the keys of ``live_keys``."""


def ask(known: KnownContext, pledge: OddPledge, payload: bytes = JOIN) -> Ask:
    """What the intake hands on for a request of ``pledge``."""
    request = open_request(pledge.request(payload), 8)
    plaintext = oscore.unprotect_request(
        known.security, request.partial_iv, b"", request.ciphertext
    )
    number = oscore.decode_piv(request.partial_iv)
    return Ask(known, number, digest(request), read_request(plaintext), request, PEER)


def decided(ground: Ground, *asks: Ask, now_ms: int = NOW_MS) -> list[Outcome]:
    return decide(ground, asks, now_ms)


def opened(outcome: Outcome, pledge: OddPledge) -> Inner:
    """The answer as the pledge reads it."""
    assert outcome.state is not None
    assert outcome.state.answer is not None
    plaintext = oscore.unprotect_response(
        pledge.context, b"", pledge.partial_iv, oscore.decode_option(b""), outcome.state.answer
    )
    return message.decode_inner(plaintext)


def configuration(outcome: Outcome, pledge: OddPledge) -> Configuration:
    inner = opened(outcome, pledge)
    assert CoapCode.CHANGED == inner.code
    return decode_configuration(inner.payload)


def join(
    ground: Ground, known: KnownContext, payload: bytes = JOIN, first: int = 0
) -> tuple[Outcome, OddPledge]:
    """One request, decided."""
    pledge = device(known.context_id, first=first)
    (outcome,) = decided(ground, ask(known, pledge, payload))
    return outcome, pledge


def silence(ground: Ground, known: KnownContext, payload: bytes = JOIN) -> Reason | None:
    """Why a request gets no answer, with nothing written."""
    outcome, _ = join(ground, known, payload)
    assert outcome.state is None
    assert outcome.stale
    assert ([], [], [], []) == (ground.states, ground.leases, ground.places, ground.events)
    return outcome.reason


def spent(ground: Ground, known: KnownContext) -> Reason | None:
    """Why a request gets no answer, whose number is used up: its copies stop at the window."""
    outcome, _ = join(ground, known)
    assert outcome.state is None
    assert outcome.stale
    ((context_id, state),) = ground.states
    assert (known.context_id, None, None) == (context_id, state.answer, state.request_digest)
    assert not state.window.is_fresh(0)
    assert ([], [], []) == (ground.leases, ground.places, ground.events)
    return outcome.reason
