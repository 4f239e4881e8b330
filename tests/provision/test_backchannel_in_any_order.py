"""Devices, ports, the host and the lines between them fail in any order; nothing is left by halves.

``JRC_TEST_EXAMPLES`` and ``JRC_TEST_STEPS`` make it longer.
"""

import ctypes
import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from jrc.provision.bench import ANSWER_WITHIN_S, Compare
from tests.provision.benches import Desk, Noise, nothing
from tests.provision.receiver import COMPILER, library

PORTS = ("a", "b")
BOARDS = 4
MOMENTS = ("before storing", "after storing", "after printing")
pytestmark = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler")


def _cut(data: bytes, at: int) -> bytes:
    return data[: at % (len(data) + 1)]


def _flipped(data: bytes, at: int) -> bytes:
    changed = bytearray(data)
    changed[at % len(changed)] ^= 1 << at % 8
    return bytes(changed)


def _twice(data: bytes, _at: int) -> bytes:
    return data * 2


def _lost(_data: bytes, _at: int) -> bytes:
    return b""


def _noisy(data: bytes, at: int) -> bytes:
    return b"tick %d\r\n\xff jrc1 " % at + data


_KINDS: tuple[Callable[[bytes, int], bytes], ...] = (_cut, _flipped, _twice, _lost, _noisy)
_code: list[ctypes.CDLL] = []


def _library() -> ctypes.CDLL:
    if not _code:
        with TemporaryDirectory() as folder:
            _code.append(library(Path(folder)))
    return _code[0]


@st.composite
def noises(draw: st.DrawFn) -> Noise:
    """Mostly none; else something happens to all that is on its way."""
    if draw(st.booleans()):
        return nothing
    kind, at = draw(st.sampled_from(_KINDS)), draw(st.integers(0, 1000))
    return lambda data: kind(data, at)


class Mishaps(RuleBasedStateMachine):
    """A bench on a bad day."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk(_library())

    @rule(port=st.sampled_from(PORTS), number=st.integers(1, BOARDS))
    def plug(self, port: str, number: int) -> None:
        self.desk.plug(port, number)

    @precondition(lambda self: self.desk.ports)
    @rule(data=st.data(), moment=st.sampled_from(MOMENTS))
    def will_die(self, data: st.DataObject, moment: str) -> None:
        self.desk.ports[data.draw(st.sampled_from(sorted(self.desk.ports)))].dies = moment

    @precondition(lambda self: self.desk.ports)
    @rule(data=st.data())
    def reset(self, data: st.DataObject) -> None:
        self.desk.reset(data.draw(st.sampled_from(sorted(self.desk.ports))))

    @rule(noise=noises())
    def host_reads(self, noise: Noise) -> None:
        self.desk.host_turn(noise)

    @rule(noise=noises())
    def device_reads(self, noise: Noise) -> None:
        self.desk.device_turn(noise)

    @rule()
    def registrar_answers(self) -> None:
        self.desk.registrar_turn()

    @rule()
    def boards_are_answered(self) -> None:
        """Both at once, which is the usual course."""
        self.desk.host_turn()
        while self.desk.questions:
            self.desk.registrar_turn()

    @precondition(lambda self: self.desk.questions)
    @rule()
    def registrar_answers_a_host_that_dies(self) -> None:
        question = self.desk.questions[0]
        if not isinstance(question, Compare):
            self.desk.registrar.enter(question.device)
        self.desk.start_host()

    @rule()
    def host_dies(self) -> None:
        """What it has sent may still arrive."""
        sent = self.desk.down
        self.desk.start_host()
        self.desk.down = sent
        self.desk.wait(0.5)

    @rule(seconds=st.sampled_from((0.5, ANSWER_WITHIN_S, 20.0)))
    def time_passes(self, seconds: float) -> None:
        self.desk.wait(seconds)

    @rule()
    def calm(self) -> None:
        """A new run in which nothing fails: every board has a key that the registrar holds."""
        desk = self.desk
        desk.device_turn()
        desk.start_host()
        for name, board in desk.boards.items():
            board.dies = None
            desk.plug("a", int.from_bytes(name.value[-2:]))
            desk.settle()
            held = desk.registrar.held[name]
            assert board.check is not None
            assert board.check == (held.waiting or held.current), "no key is left over"
        assert {"done"} >= set(desk.courses().values()), desk.bench.news()

    @invariant()
    def nothing_is_wrong(self) -> None:
        assert [] == list(self.desk.wrong())

    @invariant()
    def who_is_done_has_a_key_that_the_registrar_holds(self) -> None:
        desk = self.desk
        for name, course in desk.courses().items():
            if course == "done":
                board = desk.boards[name]
                assert board.check in desk.registrar.held[name], name

    def teardown(self) -> None:
        self.calm()


TestMishaps = Mishaps.TestCase
TestMishaps.settings = settings(
    max_examples=int(os.environ.get("JRC_TEST_EXAMPLES", "25")),
    stateful_step_count=int(os.environ.get("JRC_TEST_STEPS", "30")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
