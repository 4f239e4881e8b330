"""Whatever is said on ports, the run goes on, and each key goes to one port that its device is on.

``JRC_TEST_EXAMPLES`` and ``JRC_TEST_STEPS`` make it longer.
"""

import os
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from jrc.model import PledgeId
from jrc.provision import bench
from jrc.provision.backlines import Why, sealed, who_line
from jrc.provision.bench import (
    ANSWER_WITHIN_S,
    MAX_QUESTIONS,
    RETRY_AFTER_S,
    Action,
    Bench,
    Compare,
    Enter,
    Send,
)
from jrc.provision.bench_plan import MAX_KEYS, Answer, News
from jrc.provision.source import KeySource
from tests.provision.benches import identifier

FIRST, SECOND = identifier(1), identifier(2)
PORTS = ("a", "b")
ANOTHER = "deadbeef"
KEY = b"jrc1 key n="


class Liar:
    """The host, and ports on which anything may be said; ``keys`` are the lines with one."""

    def __init__(self) -> None:
        self.bench = Bench(KeySource())
        self.questions: list[Enter | Compare] = []
        self.made: dict[PledgeId, set[str]] = {}
        self.keys: list[tuple[str, bytes]] = []
        self.told: list[News] = []
        self.asked: list[str] = []
        """Where the host asked who is there."""
        self.spoke: dict[str, PledgeId | None] = {}
        self.now_s = 0.0
        self._nonce = 0

    def says(
        self, port: str, name: PledgeId, check: str = "none", word: str = "hello", why: str = ""
    ) -> None:
        """A line with a good CRC."""
        self._nonce += 1
        self.spoke[port] = name
        reason = f" why={why}" if why else ""
        text = f"{word} id={name} key={check} n={self._nonce:08x}{reason}"
        self._do(self.bench.heard(port, sealed(text), self.now_s))

    def repeats(self, port: str) -> None:
        """The console says what it was sent."""
        self._do(self.bench.heard(port, who_line(), self.now_s))

    def opens(self, port: str) -> None:
        """Maybe for another board."""
        self.spoke[port] = None
        self._do(self.bench.opened(port))

    def answers(self, answer: Answer = Answer()) -> None:  # noqa: B008 - a value
        """The registrar, to its first question."""
        question = self.questions.pop(0)
        if isinstance(question, Enter):
            name = question.device.identifier
            self._do(self.bench.entered(name, answer, self.now_s))
        else:
            self._do(self.bench.compared(question.identifier, answer, self.now_s))

    def waits(self, seconds: float) -> None:
        """Devices are late."""
        self.now_s += seconds
        self._do(self.bench.late(self.now_s))

    def offers_until_asked(self, port: str, name: PledgeId = FIRST) -> None:
        """A device's two hellos, which have the registrar asked."""
        self.says(port, name)
        self.says(port, name)

    def course(self, name: PledgeId = FIRST) -> str:
        (found,) = (news for news in self.bench.news() if news.identifier == name)
        return found.course.value

    def _do(self, actions: Sequence[Action]) -> None:
        for action in actions:
            if isinstance(action, News):
                self.told.append(action)
            elif isinstance(action, Send):
                self._sent(action)
            else:
                self._asked(action)

    def _asked(self, question: Enter | Compare) -> None:
        if isinstance(question, Enter):
            made = self.made.setdefault(question.device.identifier, set())
            made.add(question.device.key_check)
        self.questions.append(question)

    def _sent(self, send: Send) -> None:
        sent = send.data.reveal()
        if KEY not in sent:
            self.asked.append(send.port)
            return
        data = sent.partition(b"data=")[2].partition(b" ")[0]
        self.keys.append((send.port, data))
        there = self.spoke.get(send.port)
        assert there is not None, "nobody has spoken on that port since it was opened"
        assert there.value in bytes.fromhex(data.decode()), "somebody else has spoken there last"


@pytest.fixture
def liar() -> Liar:
    return Liar()


def test_an_echo_while_the_registrar_is_asked_counts_with_its_answer(liar: Liar) -> None:
    """Whatever is said in between; the key is not sent."""
    liar.offers_until_asked("a")
    liar.repeats("a")
    liar.says("a", FIRST, ANOTHER)
    liar.answers()
    assert ("given up", []) == (liar.course(), liar.keys)
    liar.repeats("a")
    assert "was sent no key" in liar.bench.news()[0].why


def test_an_echo_of_a_former_key_is_told_after_the_answer(liar: Liar) -> None:
    """That key is burnt, wherever the device is by now; the remedy says what to do with it."""
    liar.offers_until_asked("a")
    liar.answers()
    liar.says("b", FIRST)
    liar.repeats("b")
    liar.says("a", FIRST, word="refused", why="late")
    liar.repeats("a")
    liar.answers()
    assert ("exposed", 1) == (liar.course(), len(liar.keys))
    assert f"`jrc pledge remove {FIRST}`" in liar.told[-1].remedy
    assert f"`jrc pledge withdraw {FIRST}`" in liar.told[-1].remedy


def test_a_key_is_not_sent_to_the_board_that_is_in_the_port_by_now(liar: Liar) -> None:
    """The port was opened anew: it goes with the device's next offer, and is the same one."""
    liar.offers_until_asked("a")
    liar.opens("a")
    liar.says("a", SECOND)
    liar.answers()
    assert ("ready", []) == (liar.course(), liar.keys)
    liar.says("b", FIRST)
    assert ([], "b") == (liar.keys, liar.asked[-1]), "that console may echo"
    liar.says("b", FIRST)
    assert ("sent", ["b"], 1) == (
        liar.course(), [port for port, _ in liar.keys], len(liar.made[FIRST])
    )  # fmt: skip


def test_a_device_that_another_one_has_spoken_after_is_asked_anew(liar: Liar) -> None:
    """On the same port, which was not seen to close."""
    liar.offers_until_asked("a")
    liar.says("a", SECOND, ANOTHER)
    liar.answers()
    assert ("ready", []) == (liar.course(), liar.keys)
    liar.says("a", FIRST)
    assert ("sent", 1) == (liar.course(), len(liar.keys))


def test_who_is_not_answered_has_spoken_too(liar: Liar) -> None:
    """A device that the registrar has refused a moment ago is there all the same."""
    liar.says("a", SECOND, ANOTHER)
    liar.answers(Answer("it is unknown"))
    liar.offers_until_asked("a")
    liar.says("a", SECOND)
    liar.answers()
    assert ("ready", []) == (liar.course(), liar.keys)


@pytest.mark.parametrize("port", PORTS)
def test_a_port_where_an_offer_came_meanwhile_is_asked_first(liar: Liar, port: str) -> None:
    """Its console may echo, which shows then, and before a key is there."""
    liar.offers_until_asked("a")
    liar.opens(port)
    liar.says(port, FIRST)
    liar.answers()
    assert ([], port) == (liar.keys, liar.asked[-1])
    liar.repeats(port)
    assert "given up" == liar.course()


def test_a_key_that_went_nowhere_is_the_next_one(liar: Liar) -> None:
    """Where the device was silent, or the registrar has refused."""
    liar.offers_until_asked("a")
    liar.answers(Answer("it is revoked"))
    liar.waits(RETRY_AFTER_S)
    liar.says("a", FIRST)
    liar.opens("a")
    liar.answers()
    for _ in range(MAX_QUESTIONS + 1):
        liar.waits(ANSWER_WITHIN_S)
    assert ("unheard", None) == (liar.course(), liar.bench.due_s())
    liar.offers_until_asked("a")
    liar.answers()
    assert (1, 1) == (len(liar.keys), len(liar.made[FIRST]))


def test_a_device_gets_so_many_keys_in_a_run(liar: Liar) -> None:
    """However often it changes its port; then it is named."""
    for number in range(100):
        liar.offers_until_asked(PORTS[number % 2])
        while liar.questions:
            liar.answers()
    assert (MAX_KEYS, "given up") == (len(liar.made[FIRST]), liar.course())
    assert "again and again" in liar.told[-1].why
    assert "second board" in liar.told[-1].remedy


def test_one_port_does_not_use_up_the_places_of_others(
    liar: Liar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names identifiers without end, and so many count."""
    monkeypatch.setattr(bench, "MAX_DEVICES_ON_A_PORT", 2)
    for number in range(5):
        liar.says("a", identifier(number))
    assert ({"a": 3}, 2) == (liar.bench.left_out, len(liar.bench.news()))
    liar.says("b", identifier(9))
    assert "greeted" == liar.course(identifier(9))


def test_what_counts_is_the_check_value_that_the_registrar_was_asked_about(liar: Liar) -> None:
    """Not one that was shown meanwhile."""
    liar.says("a", FIRST, ANOTHER)
    liar.says("a", FIRST, "00000000")
    liar.answers()
    assert ("done", ANOTHER) == (liar.course(), liar.told[-1].check)


class Lies(RuleBasedStateMachine):
    """Any lines on any ports, and answers at any time: nothing raises."""

    def __init__(self) -> None:
        super().__init__()
        self.liar = Liar()

    @rule(
        port=st.sampled_from(PORTS),
        name=st.sampled_from((FIRST, SECOND)),
        shows=st.sampled_from(("none", "none", ANOTHER, "ours")),
        word=st.sampled_from(("hello", "hello", "stored", "refused")),
        why=st.sampled_from(tuple(Why)),
    )
    def says(self, port: str, name: PledgeId, shows: str, word: str, why: str) -> None:
        check = min(self.liar.made.get(name, {ANOTHER})) if shows == "ours" else shows
        self.liar.says(port, name, check, word, why if word == "refused" else "")

    @rule(port=st.sampled_from(PORTS), name=st.sampled_from((FIRST, SECOND)))
    def offers(self, port: str, name: PledgeId) -> None:
        """More often than chance has it, for keys to be made."""
        self.liar.offers_until_asked(port, name)

    @rule(port=st.sampled_from(PORTS))
    def repeats(self, port: str) -> None:
        self.liar.repeats(port)

    @rule(port=st.sampled_from(PORTS))
    def opens(self, port: str) -> None:
        self.liar.opens(port)

    @rule(is_good=st.booleans())
    def answers(self, is_good: bool) -> None:
        if self.liar.questions:
            self.liar.answers(Answer() if is_good else Answer("no"))

    @rule(seconds=st.sampled_from((0.0, ANSWER_WITHIN_S, RETRY_AFTER_S)))
    def waits(self, seconds: float) -> None:
        self.liar.waits(seconds)

    @invariant()
    def a_key_goes_to_one_port(self) -> None:
        sent = set(self.liar.keys)
        assert len(sent) == len({data for _, data in sent})

    @invariant()
    def a_device_gets_so_many_keys(self) -> None:
        assert all(len(made) <= MAX_KEYS for made in self.liar.made.values())

    @invariant()
    def who_is_late_is_asked_later(self) -> None:
        due_s = self.liar.bench.due_s()
        if due_s is not None and due_s <= self.liar.now_s:
            self.liar.waits(0)
            again_s = self.liar.bench.due_s()
            assert again_s is None or again_s > self.liar.now_s


TestLies = Lies.TestCase
TestLies.settings = settings(
    max_examples=int(os.environ.get("JRC_TEST_EXAMPLES", "100")),
    stateful_step_count=int(os.environ.get("JRC_TEST_STEPS", "50")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
