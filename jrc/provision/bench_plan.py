"""How it stands with one device of a bench, and what people are told of it."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from jrc.model import PledgeId
from jrc.provision.backchannel import Course, Happening
from jrc.provision.backlines import Why
from jrc.provision.device import Device

MAX_KEYS: Final = 3
"""Of a device in a run: what offers itself at two ports by turns would get keys without end."""
UNFIT: Final = (Why.FORM, Why.STORAGE)
"""Why a device has not kept the key that it was sent."""


class Answer(NamedTuple):
    """What the registrar says to a question: nothing against it, or why not and what to do."""

    why: str = ""
    remedy: str = ""

    @property
    def is_good(self) -> bool:
        """Whether nothing is against it."""
        return not self.why


_NOTHING_AGAINST: Final = Answer()
_FAULTS: Final = {
    Course.UNANSWERED: Answer(
        "it was sent its key and does not answer", "look at its cable and its speed, and reset it"
    ),
    Course.GIVEN_UP: Answer(
        "it said that it had its key, and has none now",
        "start the command anew if its flash was erased; else look at its flash, and for a second"
        " board with its identifier",
    ),
    Course.EXPOSED: Answer(
        "its console repeats what it is sent, so that its key was seen there",
        "switch the echo off; then `jrc pledge remove {0}`, for the registrar still takes that key"
        " (`jrc pledge withdraw {0}` where another one is in force and it waits), erase the"
        " device's flash, and start the command anew",
    ),
}
_TOO_MANY: Final = Answer(
    f"it offered itself again and again: {MAX_KEYS} keys were made for it in this run",
    "look for a second board with its identifier, and for what else may speak on its port",
)
_ECHOES: Final = Answer(
    "its console repeats what it is sent, so that it was sent no key",
    "switch the echo off, and start the command anew",
)
_REFUSALS: Final = {
    Why.FORM: Answer("it can't use a key in this form", "see which it takes: PSK, or --derived"),
    Why.STORAGE: Answer("its flash did not take its key", "look at its flash"),
}


class News(NamedTuple):
    """How it stands with a device; ``is_new`` where its key was made in this run."""

    port: str
    identifier: PledgeId
    course: Course
    check: str | None = None
    is_new: bool = False
    why: str = ""
    remedy: str = ""


@dataclass(slots=True)
class Plan:
    """How far it is with one device. ``made`` is its key of this run, ``ours`` the check values
    that are known to be good; ``asked`` is the one that the registrar is asked about.

    ``asked_at`` is the port that it was asked at who it is, None after that was opened anew;
    ``sent_at`` the one that ``made`` was sent to, ``sent_to`` has those of former keys too.
    """

    identifier: PledgeId
    port: str
    course: Course = Course.UNHEARD
    nonce: str = ""
    shown: str | None = None
    made: Device | None = None
    keys: int = 0
    asked_at: str | None = None
    sent_at: str | None = None
    sent_to: set[str] = field(default_factory=set)
    seen_since: Happening | None = None
    """What the console has repeated while the registrar is asked: it counts with the answer."""
    ours: frozenset[str] = frozenset()
    asked: str | None = None
    refused: Why | None = None
    has_all: bool = False
    """Whether it asked for more keys than a device gets."""
    echoes: bool = False
    questions: int = 0
    due_s: float | None = None
    not_before_s: float = 0.0
    answer: Answer = _NOTHING_AGAINST


def news_of(plan: Plan) -> News:
    """What is told of the device now."""
    is_done = plan.course is Course.DONE
    is_new = is_done and plan.made is not None and plan.shown == plan.made.key_check
    check = plan.shown if is_done else None
    return News(plan.port, plan.identifier, plan.course, check, is_new, *_fault(plan))


def _fault(plan: Plan) -> Answer:
    if plan.course is Course.PROBLEM:
        return plan.answer
    if plan.course is Course.GIVEN_UP and plan.echoes:
        return _ECHOES
    if plan.course is Course.GIVEN_UP and plan.refused in UNFIT:
        return _REFUSALS[plan.refused]
    if plan.course is Course.EXPOSED:
        why, remedy = _FAULTS[plan.course]
        return Answer(why, remedy.format(plan.identifier))
    if plan.course is Course.GIVEN_UP and plan.has_all:
        return _TOO_MANY
    return _FAULTS.get(plan.course, _NOTHING_AGAINST)
