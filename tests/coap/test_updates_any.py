"""Whatever comes, what leaves is protected or the ACK of a verified answer (RFC 9031 §7.3.2)."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrc.coap.proxy_state import NodeState
from jrc.cojp import codec, message, oscore
from jrc.cojp.constants import CoapCode, MessageType
from jrc.cojp.message import Message
from jrc.cojp.replay import NumberBlock
from jrc.policy.pacing import Pace
from jrc.service.update_ports import Answered
from tests.coap.proxy_registrar import BLOCKED, PLEDGE, Registrar
from tests.coap.update_bed import (
    ACK,
    CON,
    FAST,
    NON,
    NUMBER,
    PAYLOAD,
    RST,
    Bed,
    Node,
    arrived,
    empty,
    plain,
)

COUNT = 3
"""Nodes; each is told twice."""


class Scene:
    """Some nodes that are told things, and an attacker who has all that was ever on the wire."""

    def __init__(self, pace: Pace) -> None:
        self.bed = Bed(pace)
        self.nodes = [Node(index) for index in range(1, COUNT + 1)]
        self.by_address = {node.address: node for node in self.nodes}
        self.heard: list[bytes] = []
        self.verified: set[bytes] = set()
        self.elapsed_s = 0.0
        for node in self.nodes:
            for turn in range(2):
                first = NUMBER + 8 * turn
                self.bed.client.begin(node.update(turn, numbers=NumberBlock(first, first + 8)))

    def step(self, what: str, pick: int, at: int, junk: bytes) -> None:
        requests = [each for each in self.bed.sent if len(each.data) > 4]
        if what == "time" or not requests:
            self.elapsed_s += pick / 4
            self.bed.until(self.elapsed_s)
            return
        leaving = requests[pick % len(requests)]
        node = self.by_address[leaving.address]
        self.put(self.made(what, leaving.data, node, at, junk), node, at)

    def made(self, what: str, data: bytes, node: Node, at: int, junk: bytes) -> bytes:
        if what == "answer":
            return self.answer(data, node, (ACK, CON, NON)[at % 3])
        if what == "plain":
            return plain(data, (0x44, 0x81, 0xA0)[at % 3], at % 4) + junk
        if what == "empty":
            return empty(data, (CON, NON, ACK, RST)[at % 4])
        if what == "junk":
            return bytes((0x48 | at & 0x30, 0x44)) + data[2:12] + junk
        old = self.heard[at % len(self.heard)] if self.heard else data
        if what == "cut":
            return old[: at % (len(old) + 1)]
        if what == "moved":
            return old[:4] + data[4:12] + old[12:]
        flipped = bytearray(old)
        if what == "flip" and old:
            flipped[at % len(old)] ^= 1 << at % 8
        return bytes(flipped)

    def answer(self, data: bytes, node: Node, type: int) -> bytes:
        """By our own OSCORE in the node's role, so that a request may be answered at any time."""
        request = message.decode(data)
        piv = oscore.decode_option(request.options[-1][1]).piv
        assert piv is not None
        node.message_id += 1
        value, ciphertext = oscore.protect_response(
            node.security.mirrored(), b"JRC", piv, b"\x44", bytes((node.message_id & 0xFF or 1,))
        )
        message_id = request.message_id if type == ACK else node.message_id
        made = message.encode(
            Message(type, CoapCode.CHANGED, message_id, request.token, ((9, value),), ciphertext)
        )
        if type == CON:
            self.verified.add(empty(made))
        return made

    def put(self, data: bytes, node: Node, at: int) -> None:
        self.heard.append(data)
        source = self.nodes[at % COUNT] if at % 7 == 0 else node
        self.bed.client.receive([arrived(data, source.address, 5683 if at % 5 else 1)])

    def check(self) -> None:
        """Everything that left, against what may leave."""
        plaintexts: dict[tuple[object, bytes], bytes] = {}
        for leaving in self.bed.sent:
            if len(leaving.data) == 4:
                assert leaving.data in self.verified
                continue
            outer = message.decode(leaving.data)
            node = self.by_address[leaving.address]
            option = oscore.decode_option(dict(outer.options)[9])
            assert option.piv is not None
            assert (MessageType.CON, CoapCode.POST) == (outer.type, outer.code)
            mirrored = node.security.mirrored()
            plaintext = oscore.unprotect_request(mirrored, option.piv, b"JRC", outer.payload)
            assert PAYLOAD == message.decode_inner(plaintext).payload
            assert plaintext == plaintexts.setdefault((node.address, option.piv), plaintext)
        outcomes = self.bed.outcomes
        assert 2 * COUNT == len(outcomes) + self.bed.client.open
        assert len(outcomes) == len({(each.node, each.ref) for each in outcomes})


STEPS = st.tuples(
    st.sampled_from(["time", "answer", "plain", "empty", "junk", "cut", "moved", "flip", "again"]),
    st.integers(0, 200),
    st.integers(0, 2000),
    st.binary(max_size=30),
)


@given(steps=st.lists(STEPS, max_size=40), pace=st.sampled_from([FAST, Pace(100, 2)]))
def test_b06_nothing_but_protected_requests_and_acks_of_verified_answers_leaves(
    steps: list[tuple[str, int, int, bytes]], pace: Pace
) -> None:
    """And no number protects two plaintexts; each update ends once (RFC 9031 §7.3.1, §7.3.2)."""
    scene = Scene(pace)
    for step in steps:
        scene.step(*step)
    scene.check()
    scene.bed.until(scene.elapsed_s + 3000)
    scene.check()
    assert 0 == scene.bed.client.open
    # A second answer of an update that is over must change nothing either.
    for data in scene.heard:
        for node in scene.nodes:
            scene.bed.client.receive([arrived(data, node.address)])
    scene.check()


# --- The Join Proxy's node, over a link that loses ---------------------------------------------


@pytest.fixture
def registrar(tmp_path: Path) -> Iterator[Registrar]:
    made = Registrar(tmp_path / "state")
    yield made
    made.state.close()


def test_b07_our_own_node_takes_an_update_after_its_echo(registrar: Registrar) -> None:
    """It has lost its window, and so wants to know that the registrar is fresh (App. B.1.2)."""
    bed = Bed()
    own = _own(registrar)
    bed.client.begin(own.update(payload=codec.encode_configuration(BLOCKED)))
    assert isinstance(registrar.state, NodeState)
    for _ in range(3):
        for leaving in bed.sent[:]:
            bed.sent.remove(leaving)
            for answer in registrar.node.receive(leaving.data):
                bed.hear(answer, own)
        bed.until(bed.now - 999)
    assert [Answered(0x44, b"")] == [each.answer for each in bed.outcomes]
    assert [(BLOCKED, False)] == registrar.configured


def _own(registrar: Registrar) -> Node:
    own = Node()
    own.security, own.identifier = registrar.context, PLEDGE
    return own


LOSSES = [lost for lost in itertools.product([False, True], repeat=5) if not all(lost)]


@pytest.mark.parametrize("lost", LOSSES)
@pytest.mark.parametrize("is_request", [False, True])
def test_e01_a_link_that_loses_all_but_one_is_enough(
    registrar: Registrar, lost: tuple[bool, ...], is_request: bool
) -> None:
    """Of five copies one has to arrive and one answer come back; the update has one effect."""
    registrar.made_fresh()
    bed, own = Bed(), _own(registrar)
    bed.client.begin(own.update(payload=codec.encode_configuration(BLOCKED)))
    for turn, is_lost in enumerate(lost):
        bed.until((0, 10, 30, 70, 150)[turn])
        if len(bed.sent) <= turn or (is_lost and is_request):
            continue
        for answer in registrar.node.receive(bed.sent[turn].data):
            if not is_lost:
                bed.hear(answer, own)
    bed.until(400)
    assert [Answered(0x44, b"")] == [each.answer for each in bed.outcomes]
    assert [(BLOCKED, False)] == registrar.configured
    assert lost.index(False) + 1 == len(bed.sent)
