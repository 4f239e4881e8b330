"""The devices on a bench that get their keys down their ports (docs/back-channel.md).

No I/O: lines of consoles, answers of the registrar and the time come in; lines to send, questions
for the registrar and news for people go out.
"""

from collections import Counter
from typing import Final, NamedTuple, TypeAlias

from jrc.model import PledgeId, Secret
from jrc.provision.backchannel import TABLE, Course, Do, Happening, step
from jrc.provision.backlines import (
    Echo,
    Said,
    Word,
    key_line,
    said_in,
    who_line,
)
from jrc.provision.bench_plan import MAX_KEYS, UNFIT, Answer, News, Plan, news_of
from jrc.provision.device import Device
from jrc.provision.generate import generate
from jrc.provision.source import KeySource

ANSWER_WITHIN_S: Final = 3.0
"""For the line, the flash and the answer: 250 bytes at 9600 baud take 0.3 s."""
MAX_QUESTIONS: Final = 3
MAX_DEVICES: Final = 10_000
"""Of a run."""
MAX_DEVICES_ON_A_PORT: Final = 1000
"""First heard there: a console may name identifiers without end, and each would get a key."""
RETRY_AFTER_S: Final = 10.0
"""When a device is tried again whose key the registrar did not take."""

_END: Final = "\r\n"
_OFFERS: Final = (Happening.OFFERED, Happening.OFFERED_ELSEWHERE)
_ASKED: Final = (Course.GREETED, Course.READY, Course.SENT)
"""Where a device ought to say something."""


class Send(NamedTuple):
    """Bytes for a port; they may be a key."""

    port: str
    data: Secret


class Enter(NamedTuple):
    """A question for the registrar: to take a device's new key, in force or to wait."""

    port: str
    device: Device


class Compare(NamedTuple):
    """A question for the registrar: whether a device's key with this check value is good there."""

    identifier: PledgeId
    check: str


Action: TypeAlias = Send | Enter | Compare | News


class Bench:
    """All devices of a run, by identifier, wherever they are plugged in.

    ``source`` is where keys come from; with ``derived`` devices get the parameters of RFC 9031
    Appendix B in place of a PSK.
    """

    def __init__(self, source: KeySource, *, derived: bool = False) -> None:
        self._source = source
        self._derived = derived
        self._plans: dict[PledgeId, Plan] = {}
        self._last: dict[str, Plan] = {}
        """Who spoke last on a port."""
        self._first_heard: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()
        """By port, lines of devices beyond ``MAX_DEVICES`` and ``MAX_DEVICES_ON_A_PORT``."""

    def opened(self, port: str) -> list[Action]:
        """What is asked of whoever is on a port that was opened: it may have said its hello."""
        self._last.pop(port, None)
        for plan in self._plans.values():
            if plan.asked_at == port:
                plan.asked_at = None
        return [Send(port, _framed(who_line()))]

    def heard(self, port: str, line: str, now_s: float) -> list[Action]:
        """What follows from a line of a port's console."""
        said = said_in(line)
        if isinstance(said, Echo):
            return self._echoed(port, now_s)
        return [] if said is None else self._take(port, said, now_s)

    def entered(self, identifier: PledgeId, answer: Answer, now_s: float) -> list[Action]:
        """What follows from the registrar's answer to ``Enter``."""
        plan = self._plans[identifier]
        is_there = self._last.get(plan.port) is plan and plan.asked_at == plan.port
        good = Happening.ENTERED if is_there else Happening.ENTERED_LATE
        happening = good if answer.is_good else Happening.NOT_ENTERED
        return self._answered(plan, answer, happening, now_s)

    def compared(self, identifier: PledgeId, answer: Answer, now_s: float) -> list[Action]:
        """What follows from the registrar's answer to ``Compare``."""
        plan = self._plans[identifier]
        if answer.is_good and plan.asked is not None:
            plan.ours |= {plan.asked}
            plan.shown = plan.asked
        happening = Happening.MATCHED if answer.is_good else Happening.NOT_MATCHED
        return self._answered(plan, answer, happening, now_s)

    def due_s(self) -> float | None:
        """When ``late`` is to be called next, None while nothing waits."""
        return min(
            (plan.due_s for plan in self._plans.values() if plan.due_s is not None), default=None
        )

    def late(self, now_s: float) -> list[Action]:
        """What follows from devices that have not answered in time."""
        actions: list[Action] = []
        for plan in self._plans.values():
            if plan.due_s is not None and plan.due_s <= now_s:
                was_asked = plan.questions >= MAX_QUESTIONS
                happening = Happening.STILL_SILENT if was_asked else Happening.SILENT
                actions += self._step(plan, happening, now_s)
        return actions

    def news(self) -> list[News]:
        """How it stands with every device of the run, in the order they were heard."""
        return [news_of(plan) for plan in self._plans.values()]

    def _take(self, port: str, said: Said, now_s: float) -> list[Action]:
        plan = self._plan(port, said.identifier)
        if plan is None:
            self.left_out[port] += 1
            return []
        self._last[port] = plan
        happening = self._happening(plan, port, said, now_s)
        if happening is None:
            return []
        if happening in _OFFERS:
            plan.nonce, plan.questions = said.nonce, 0
        if happening in _OFFERS or said.check is not None:
            plan.port, plan.shown = port, said.check
        plan.refused = said.why or plan.refused
        plan.has_all = plan.has_all or happening is Happening.OFFERED_AGAIN
        return self._step(plan, happening, now_s)

    def _plan(self, port: str, identifier: PledgeId) -> Plan | None:
        """The device's; None where there is no more room for one."""
        plan = self._plans.get(identifier)
        if plan is not None:
            return plan
        is_full = len(self._plans) >= MAX_DEVICES
        if is_full or self._first_heard[port] >= MAX_DEVICES_ON_A_PORT:
            return None
        self._first_heard[port] += 1
        return self._plans.setdefault(identifier, Plan(identifier, port))

    def _happening(self, plan: Plan, port: str, said: Said, now_s: float) -> Happening | None:
        """What a line means for the device; None where it says nothing new."""
        if said.check is not None:
            return Happening.SHOWED_OURS if said.check in plan.ours else Happening.SHOWED_ANOTHER
        if said.word is Word.REFUSED:
            return Happening.NOT_STORED if said.why in UNFIT else Happening.REFUSED
        if said.word is not Word.HELLO or said.nonce == plan.nonce or now_s < plan.not_before_s:
            return None
        return _offer(plan, port)

    def _echoed(self, port: str, now_s: float) -> list[Action]:
        """The line came back that the last one who spoke there was sent."""
        plan = self._last.get(port)
        if plan is None:
            return []
        happening = Happening.EXPOSED if port in plan.sent_to else Happening.ECHOED
        plan.echoes = True
        if plan.course not in (Course.ENTERING, Course.COMPARING):
            return self._step(plan, happening, now_s)
        if happening is Happening.EXPOSED or plan.seen_since is None:
            plan.seen_since = happening
        return []

    def _answered(
        self, plan: Plan, answer: Answer, happening: Happening, now_s: float
    ) -> list[Action]:
        plan.answer = answer
        plan.not_before_s = 0.0 if answer.is_good else now_s + RETRY_AFTER_S
        seen, plan.seen_since = plan.seen_since, None
        does_count = seen is not None and TABLE[plan.course, seen].to is not plan.course
        return self._step(plan, seen if seen and does_count else happening, now_s)

    def _step(self, plan: Plan, happening: Happening, now_s: float) -> list[Action]:
        before = plan.course
        move = step(before, happening)
        plan.course = move.to
        if move.to not in _ASKED:
            plan.due_s = None
        actions = [] if move.do is None else self._do(plan, move.do, now_s)
        return actions if plan.course is before else [*actions, news_of(plan)]

    def _do(self, plan: Plan, do: Do, now_s: float) -> list[Action]:
        if do is Do.COMPARE:
            assert plan.shown is not None, "it is compared because it was shown"
            plan.asked = plan.shown
            return [Compare(plan.identifier, plan.shown)]
        if do is Do.ENTER:
            return self._enter(plan)
        plan.due_s = now_s + ANSWER_WITHIN_S
        if do is Do.ASK:
            plan.questions += 1
            plan.asked_at = plan.port
            return [Send(plan.port, _framed(who_line()))]
        assert plan.made is not None, "what is sent was made"
        plan.questions, plan.sent_at = 0, plan.port
        plan.sent_to.add(plan.port)
        return [Send(plan.port, _framed(key_line(plan.made, plan.nonce)))]

    def _enter(self, plan: Plan) -> list[Action]:
        """A key that was sent nowhere may still be the device's."""
        plan.refused = None
        if plan.made is None or plan.sent_at is not None:
            (plan.made,) = generate([plan.identifier], self._source, derived=self._derived)
            plan.keys, plan.sent_at = plan.keys + 1, None
            plan.ours = frozenset({plan.made.key_check})
        return [Enter(plan.port, plan.made)]


def _framed(line: str) -> Secret:
    """The line, and an end before it, so that what somebody has typed is no part of it."""
    return Secret(f"{_END}{line}{_END}".encode("ascii"))


def _offer(plan: Plan, port: str) -> Happening:
    """Which one it is that a device makes at a port."""
    known_at = plan.asked_at if plan.sent_at is None else plan.sent_at
    offer = Happening.OFFERED if port == known_at else Happening.OFFERED_ELSEWHERE
    needs_another = plan.sent_at is not None and TABLE[plan.course, offer].do is Do.ENTER
    return Happening.OFFERED_AGAIN if needs_another and plan.keys >= MAX_KEYS else offer
