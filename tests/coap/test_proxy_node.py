"""The Join Proxy as a CoJP node: joining, and Parameter Updates (RFC 9031 §8.1, §8.2)."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from jrc.coap.proxy_node import REJOIN_S, Timing
from jrc.cojp import codec, message
from jrc.cojp.constants import (
    CoapCode,
    Code,
    Label,
    MessageType,
    OptionNumber,
    Role,
)
from jrc.cojp.message import Message
from jrc.cojp.objects import Configuration, JoinRequest, UnsupportedParameter
from jrc.errors import Reason
from tests.coap.proxy_registrar import (
    BLOCKED,
    KEYS,
    PATH,
    PLEDGE,
    Registrar,
    run,
)
from tests.virtual_loop import run_virtually


@pytest.fixture
def registrar(tmp_path: Path) -> Iterator[Registrar]:
    made = Registrar(tmp_path / "state")
    yield made
    made.state.close()


def test_c10_it_joins_as_a_6lbr_and_takes_rate_and_blocklist(registrar: Registrar) -> None:
    """CON POST to 6tisch.arpa/j, role 1, network identifier (RFC 9031 §8.1.1, §8.4.1)."""
    registrar.script = [registrar.config()]
    run(registrar.node.join())
    (sent,) = registrar.sent
    request = message.decode(sent)
    assert (request.type, request.code) == (MessageType.CON, CoapCode.POST)
    assert request.options[0] == (int(OptionNumber.URI_HOST), b"6tisch.arpa")
    inner, _ = registrar.open(request)
    assert (inner.code, inner.options) == (CoapCode.POST, PATH)
    assert codec.decode_join_request(inner.payload) == JoinRequest(b"\xca\xfe", Role.LBR)
    assert registrar.configured == [(BLOCKED, True)]
    assert registrar.node.joined


def test_it_sends_the_same_bytes_again_until_there_is_an_answer(registrar: Registrar) -> None:
    """RFC 7252 §4.2: a copy has no number of its own."""
    registrar.script = [lambda _: None, lambda _: None, registrar.config()]
    run(registrar.node.join())
    assert len(registrar.sent) == 3
    assert len(set(registrar.sent)) == 1


def test_it_follows_the_timing_of_the_rfc() -> None:
    """ACK_TIMEOUT 10, ACK_RANDOM_FACTOR 1.5, MAX_RETRANSMIT 4 (RFC 9031 §7.2)."""
    assert [10, 20, 40, 80, 160] == list(Timing().waits(0))
    assert [15, 30, 60, 120, 240] == list(Timing().waits(1))


def test_b04_it_tries_again_later_with_another_number(registrar: Registrar) -> None:
    """An attempt that got no answer is over; the next is a request of its own (RFC 9031 §7.3)."""
    registrar.script = [lambda _: None] * 5 + [registrar.config()]
    run(registrar.node.join())
    first, second = (message.decode(each) for each in dict.fromkeys(registrar.sent))
    assert registrar.open(first)[1] != registrar.open(second)[1]
    assert first.token != second.token


def test_g01_it_joins_again_when_nothing_was_heard_for_long_and_takes_what_has_changed(
    registrar: Registrar,
) -> None:
    """A registrar whose updates find no way here tells a change that way (RFC 9031 §8.4.2)."""
    changed = Configuration(blocklist=(), join_rate_bytes_per_s=5)
    registrar.script = [registrar.config(), registrar.config(changed)]

    async def work() -> None:
        task = asyncio.create_task(registrar.node.run())
        while len(registrar.configured) < 2:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.01)
        task.cancel()

    run(work())
    assert registrar.configured == [(BLOCKED, True), (changed, True)]
    first, second = (message.decode(each) for each in registrar.sent[:2])
    assert registrar.open(first)[1] != registrar.open(second)[1]


def test_e07_as_long_as_updates_come_it_does_not_join_again(tmp_path: Path) -> None:
    """To a registrar that takes it for a 6LBR each join changes keys (RFC 9031 §5.1)."""
    registrar = Registrar(tmp_path / "state", Timing()).made_fresh()
    registrar.script = [registrar.config(), registrar.config()]

    async def work() -> None:
        task = asyncio.create_task(registrar.node.run())
        for _ in range(5):
            await asyncio.sleep(REJOIN_S * 0.9)
            registrar.node.receive(registrar.update(BLOCKED))
        assert len(registrar.sent) == 1
        await asyncio.sleep(REJOIN_S * 1.6)
        assert len(registrar.sent) == 2
        task.cancel()

    run_virtually(work())
    registrar.state.close()


def test_e07_keys_are_said_once_with_what_to_run(registrar: Registrar) -> None:
    """In a Join Response or an update: the registrar takes it for a 6LBR with a radio."""
    registrar.script = [registrar.config(KEYS), registrar.config(KEYS), registrar.config()]
    with capture_logs() as logged:
        run(registrar.node.join())
        run(registrar.node.join())
        registrar.made_fresh().ask(registrar.update(KEYS))
    (said,) = [each for each in logged if each["event"] == "proxy_given_keys"]
    assert f"`jrc pledge set {PLEDGE.hex()} --profile join-proxy`" in said["hint"]
    assert (said["log_level"], said["hint"]) == ("warning", registrar.node.given_keys)
    run(registrar.node.join())
    assert registrar.node.given_keys is None


def test_e07_keys_in_an_update_are_said(registrar: Registrar) -> None:
    """Also where its join was before the profile was taken away."""
    with capture_logs() as logged:
        registrar.made_fresh().ask(registrar.update(KEYS))
    assert ["proxy_given_keys"] == [each["event"] for each in logged]


def test_it_goes_on_trying_where_it_is_refused(registrar: Registrar) -> None:
    """The operator may grant the role meanwhile; the reason is told."""
    refusal = codec.encode_unsupported((UnsupportedParameter(Code.UNSUPPORTED, Label.ROLE),))
    said: list[str | None] = []

    def joined_late(request: Message) -> bytes:
        said.append(registrar.node.why)
        return registrar.config()(request)

    registrar.script = [
        lambda request: registrar.answer(request, CoapCode.BAD_REQUEST, refusal),
        joined_late,
    ]
    run(registrar.node.join())
    assert said == [f"the registrar refuses: 4.00 {refusal.hex()}"]


def test_an_empty_ack_ends_the_copies_and_the_separate_answer_is_acknowledged(
    registrar: Registrar,
) -> None:
    """RFC 7252 §5.2.2; a copy of it is acknowledged once more (§4.2)."""
    separate: list[bytes] = []

    def promise(request: Message) -> bytes:
        answer = registrar.config(type=MessageType.CON, message_id=4711)(request)
        separate.append(answer)
        acknowledge: list[bytes] = []
        later = asyncio.get_running_loop().call_later
        later(0.1, lambda: acknowledge.extend(registrar.node.receive(answer)))
        later(0.1, lambda: separate.extend(acknowledge))
        return b"\x60\x00" + request.message_id.to_bytes(2)

    registrar.script = [promise]
    run(registrar.node.join())
    assert len(registrar.sent) == 1
    assert separate[1:] in ([], [b"\x60\x00\x12\x67"])
    assert tuple(registrar.node.receive(separate[0])) == (b"\x60\x00\x12\x67",)


def test_b06_answers_that_do_not_verify_are_not_there(registrar: Registrar) -> None:
    """Unprotected, forged, for another token or message id: silence (RFC 9031 §7.3.2)."""

    def forged(request: Message) -> bytes:
        answer = registrar.config()(request)
        return answer[:-1] + bytes((answer[-1] ^ 1,))

    registrar.script = [
        forged,
        lambda request: registrar.config(token=b"none")(request),
        lambda request: registrar.config(message_id=request.message_id ^ 1)(request),
        lambda request: registrar.config(options=())(request),
        registrar.config(),
    ]
    run(registrar.node.join())
    assert len(registrar.sent) == 5
    expected = [Reason.BAD_TAG, *[Reason.NOT_A_RESPONSE] * 2, Reason.UNPROTECTED]
    assert registrar.dropped == expected


def test_c07_what_it_can_not_read_is_reported_in_the_next_request(registrar: Registrar) -> None:
    """RFC 9031 §8.3.1: at most COJP_MAX_JOIN_ATTEMPTS, then what was read counts."""
    payload = b"\xa2\x07\x18\x4d\x18\x63\x01"
    registrar.script = [lambda request: registrar.answer(request, payload=payload)] * 4
    run(registrar.node.join())
    reports = [
        codec.decode_join_request(registrar.open(message.decode(each))[0].payload).unsupported
        for each in registrar.sent
    ]
    assert reports == [(), *[(UnsupportedParameter(Code.UNSUPPORTED, 0x63),)] * 3]
    assert registrar.configured == [(Configuration(join_rate_bytes_per_s=77), True)]
