"""The back-channel's course with one device, as a table (docs/back-channel.md).

A device's hello alone says how things stand; its other words only make them known sooner. So every
line may be lost, and either side may begin anew at any moment.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

from jrc.errors import StateError


class Course(StrEnum):
    """How far it is with a device in this run."""

    UNHEARD = "unheard"
    GREETED = "greeted"
    """It has no key and was asked once more who it is: a console that echoes shows that then."""
    ENTERING = "entering"
    """A key was made for it, and the registrar is being told."""
    READY = "ready"
    """The registrar has its key, which went nowhere: it goes with the device's next offer."""
    SENT = "sent"
    """The registrar has the key, the device was sent it and has not said that it has it."""
    UNANSWERED = "unanswered"
    """As ``SENT``, and it is silent; it gets the same key with its next offer."""
    COMPARING = "comparing"
    """It has a key, and the registrar is asked whether it is one of the device's."""
    DONE = "done"
    """It has a key that is in force at the registrar, or waits there."""
    PROBLEM = "problem"
    """The registrar did not take its key, or does not know the one that it has."""
    GIVEN_UP = "given up"
    """It gets no key in this run: it lost one, can't store one, or its console echoes."""
    EXPOSED = "exposed"
    """Its key was seen on the console."""


class Happening(StrEnum):
    """What happens with one device."""

    OFFERED = "offered"
    """It has no key and offers itself, at the port that its key was sent to; where none was sent,
    at the one where it was asked who it is."""
    OFFERED_ELSEWHERE = "offered elsewhere"
    """It offers itself at another port, or at one that was opened anew."""
    OFFERED_AGAIN = "offered again"
    """It offers itself, and has had all the keys that a device gets in a run."""
    SHOWED_OURS = "showed ours"
    """It has the key that was made for it in this run."""
    SHOWED_ANOTHER = "showed another"
    """It has a key, and none of this run."""
    ENTERED = "entered"
    """The registrar has the key that was made."""
    ENTERED_LATE = "entered late"
    """The same, and the port may have another board by now."""
    NOT_ENTERED = "not entered"
    MATCHED = "matched"
    """The key that it showed is in force at the registrar, or waits there."""
    NOT_MATCHED = "not matched"
    REFUSED = "refused"
    """It did not take the line; another one may do."""
    NOT_STORED = "not stored"
    """It can't store a key, or can't use one like this."""
    SILENT = "silent"
    """It ought to have answered by now."""
    STILL_SILENT = "still silent"
    """It was asked often enough."""
    ECHOED = "echoed"
    """The console repeats what it is sent, and no key was sent to it."""
    EXPOSED = "exposed"
    """The console repeats what it is sent, and a key was."""


class Do(StrEnum):
    """What is to be done."""

    ENTER = "enter"
    """Make a key and tell the registrar."""
    COMPARE = "compare"
    """Ask the registrar for the check values of the device's keys."""
    SEND = "send"
    """Send the key in answer to the last offer."""
    ASK = "ask"
    """Ask for a hello."""


class Move(NamedTuple):
    """Where it goes on, and what is to be done."""

    to: Course
    do: Do | None = None


_Moves: TypeAlias = Mapping[tuple[Course, Happening], Move]

_C = Course
_H = Happening
_ALL: Final = tuple(Course)


def _each(courses: Iterable[Course], happening: Happening, to: Course, do: Do) -> _Moves:
    return {(course, happening): Move(to, do) for course in courses}


def _ignored(courses: Iterable[Course], happening: Happening) -> _Moves:
    return {(course, happening): Move(course) for course in courses}


_OFFERS: Final = (_H.OFFERED, _H.OFFERED_ELSEWHERE)
_UNSENT: Final = (_C.GREETED, _C.PROBLEM)
_UNDER_WAY: Final = (_C.SENT, _C.UNANSWERED)
_GETTING_A_KEY: Final = (_C.UNHEARD, *_UNSENT, *_UNDER_WAY)

TABLE: Final[_Moves] = MappingProxyType(
    {
        **_ignored(_ALL, _H.REFUSED),
        **_ignored(_ALL, _H.NOT_STORED),
        **_ignored(_ALL, _H.ECHOED),
        **{(course, _H.EXPOSED): Move(_C.EXPOSED) for course in _ALL},
        # An offer that comes while the registrar is asked is the one that will be answered.
        **{key: move for offer in _OFFERS for key, move in _ignored(_ALL, offer).items()},
        **{
            key: move
            for offer in _OFFERS
            for key, move in _each(_UNSENT, offer, _C.ENTERING, Do.ENTER).items()
        },
        (_C.UNHEARD, _H.OFFERED): Move(_C.GREETED, Do.ASK),
        (_C.UNHEARD, _H.OFFERED_ELSEWHERE): Move(_C.GREETED, Do.ASK),
        (_C.GREETED, _H.OFFERED_ELSEWHERE): Move(_C.GREETED, Do.ASK),
        **_each((_C.READY, *_UNDER_WAY), _H.OFFERED, _C.SENT, Do.SEND),
        (_C.READY, _H.OFFERED_ELSEWHERE): Move(_C.READY, Do.ASK),
        # What was sent down a port is never sent down another: there may be a device at each.
        **_each(_UNDER_WAY, _H.OFFERED_ELSEWHERE, _C.ENTERING, Do.ENTER),
        # It has acknowledged its key; its flash does not hold it, or was erased.
        (_C.DONE, _H.OFFERED): Move(_C.GIVEN_UP),
        (_C.DONE, _H.OFFERED_ELSEWHERE): Move(_C.GIVEN_UP),
        **{(course, _H.OFFERED_AGAIN): Move(_C.GIVEN_UP) for course in (*_UNSENT, *_UNDER_WAY)},
        (_C.ENTERING, _H.ENTERED): Move(_C.SENT, Do.SEND),
        (_C.ENTERING, _H.ENTERED_LATE): Move(_C.READY, Do.ASK),
        (_C.ENTERING, _H.NOT_ENTERED): Move(_C.PROBLEM),
        (_C.COMPARING, _H.MATCHED): Move(_C.DONE),
        (_C.COMPARING, _H.NOT_MATCHED): Move(_C.PROBLEM),
        **{(course, _H.SHOWED_OURS): Move(_C.DONE) for course in (*_UNDER_WAY, _C.GIVEN_UP)},
        **_ignored((_C.ENTERING, _C.COMPARING, _C.DONE, _C.EXPOSED), _H.SHOWED_OURS),
        **_each((_C.UNHEARD, _C.READY, *_UNSENT), _H.SHOWED_OURS, _C.COMPARING, Do.COMPARE),
        **_each(
            (_C.READY, *_GETTING_A_KEY, _C.DONE, _C.GIVEN_UP),
            _H.SHOWED_ANOTHER,
            _C.COMPARING,
            Do.COMPARE,
        ),
        # While the registrar is told of a new one: the device will refuse that, and show it again.
        **_ignored((_C.ENTERING, _C.COMPARING, _C.EXPOSED), _H.SHOWED_ANOTHER),
        (_C.SENT, _H.REFUSED): Move(_C.SENT, Do.ASK),
        (_C.SENT, _H.SILENT): Move(_C.SENT, Do.ASK),
        (_C.SENT, _H.STILL_SILENT): Move(_C.UNANSWERED),
        (_C.GREETED, _H.SILENT): Move(_C.GREETED, Do.ASK),
        (_C.GREETED, _H.STILL_SILENT): Move(_C.UNHEARD),
        (_C.READY, _H.SILENT): Move(_C.READY, Do.ASK),
        (_C.READY, _H.STILL_SILENT): Move(_C.UNHEARD),
        **{(course, _H.NOT_STORED): Move(_C.GIVEN_UP) for course in _UNDER_WAY},
        # In time: nothing was sent yet, and nothing will be.
        **{
            (course, _H.ECHOED): Move(_C.GIVEN_UP) for course in (_C.GREETED, _C.ENTERING, _C.READY)
        },
    }
)
"""Where each happening leads; what comes late, or says nothing new, changes nothing."""


def step(course: Course, happening: Happening) -> Move:
    """Where a device goes on after what happened.

    Raises:
        StateError: it can't happen there.
    """
    move = TABLE.get((course, happening))
    if move is None:
        raise StateError(f"{happening!s} came to a device that is {course!s}")
    return move
