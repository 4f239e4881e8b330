"""A console's bytes in, what was seen on it out: no I/O, no clock.

What a board prints from one start to the next belongs together: its id and its credential are a
pair, whichever comes first, and nothing is ever paired across a start. Where it is not plain which
belongs to which, nothing is given until the next start, but a ``Problem``.

A pair is given when ``settle`` is called, at the next start or at the end: two boards that write
into each other's output without a word of who is who are noticed by then.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, TypeAlias

from jrc.cojp.credential import Credential, parse
from jrc.model import PledgeId
from jrc.policy.credentials import check_identifier
from jrc.provision import console_values
from jrc.provision.console_patterns import VALUE, Pattern


@dataclass(frozen=True, slots=True)
class Booted:
    """A board has started."""

    line: int


@dataclass(frozen=True, slots=True)
class DeviceSeen:
    """A board has said its id."""

    line: int
    device: PledgeId


@dataclass(frozen=True, slots=True)
class IdentitySeen:
    """A board has said its credential."""

    line: int
    credential: Credential


@dataclass(frozen=True, slots=True)
class Found:
    """A board has said both: this is to be stored."""

    line: int
    device: PledgeId
    credential: Credential


@dataclass(frozen=True, slots=True)
class Alone:
    """A board said one of both and no more, until the next start or the end."""

    line: int
    device: PledgeId | None


@dataclass(frozen=True, slots=True)
class Problem:
    """Nothing of what this board says is taken until the next start; never quotes the line.

    ``devices`` are those that have said their id since the last one.
    """

    line: int
    what: str
    devices: tuple[PledgeId, ...] = ()


@dataclass(frozen=True, slots=True)
class Marked:
    """A line that is for somebody else, from its mark on."""

    line: int
    text: str


Event: TypeAlias = Booted | DeviceSeen | IdentitySeen | Found | Alone | Problem | Marked


class State(Enum):
    """What a board has said since it started."""

    NOTHING = auto()
    DEVICE = auto()
    IDENTITY = auto()
    BOTH = auto()
    GIVEN = auto()
    UNCLEAR = auto()


class Sign(Enum):
    """What a line says, or that there are no more."""

    START = auto()
    DEVICE = auto()
    IDENTITY = auto()
    OTHER_DEVICE = auto()
    OTHER_IDENTITY = auto()
    GARBLED = auto()
    SETTLED = auto()


class Does(Enum):
    """What a sign calls for, beside the next state."""

    NOTHING = auto()
    GIVE = auto()
    LEAVE_ALONE = auto()
    COMPLAIN = auto()


_Table: TypeAlias = "Mapping[State, Mapping[Sign, tuple[State, Does]]]"
_S, _D = State, Does
TABLE: Final[_Table] = {
    _S.NOTHING: {
        Sign.START: (_S.NOTHING, _D.NOTHING),
        Sign.DEVICE: (_S.DEVICE, _D.NOTHING),
        Sign.IDENTITY: (_S.IDENTITY, _D.NOTHING),
        Sign.GARBLED: (_S.UNCLEAR, _D.COMPLAIN),
        Sign.SETTLED: (_S.NOTHING, _D.NOTHING),
    },
    _S.DEVICE: {
        Sign.START: (_S.NOTHING, _D.LEAVE_ALONE),
        Sign.IDENTITY: (_S.BOTH, _D.NOTHING),
        Sign.OTHER_DEVICE: (_S.UNCLEAR, _D.COMPLAIN),
        Sign.GARBLED: (_S.UNCLEAR, _D.COMPLAIN),
        Sign.SETTLED: (_S.DEVICE, _D.NOTHING),
    },
    _S.IDENTITY: {
        Sign.START: (_S.NOTHING, _D.LEAVE_ALONE),
        Sign.DEVICE: (_S.BOTH, _D.NOTHING),
        Sign.OTHER_IDENTITY: (_S.UNCLEAR, _D.COMPLAIN),
        Sign.GARBLED: (_S.UNCLEAR, _D.COMPLAIN),
        Sign.SETTLED: (_S.IDENTITY, _D.NOTHING),
    },
    _S.BOTH: {
        Sign.START: (_S.NOTHING, _D.GIVE),
        Sign.OTHER_DEVICE: (_S.UNCLEAR, _D.COMPLAIN),
        Sign.OTHER_IDENTITY: (_S.UNCLEAR, _D.COMPLAIN),
        Sign.GARBLED: (_S.UNCLEAR, _D.COMPLAIN),
        Sign.SETTLED: (_S.GIVEN, _D.GIVE),
    },
    _S.GIVEN: {
        Sign.START: (_S.NOTHING, _D.NOTHING),
        Sign.OTHER_DEVICE: (_S.UNCLEAR, _D.COMPLAIN),
        Sign.OTHER_IDENTITY: (_S.UNCLEAR, _D.COMPLAIN),
        Sign.GARBLED: (_S.UNCLEAR, _D.COMPLAIN),
        Sign.SETTLED: (_S.GIVEN, _D.NOTHING),
    },
    _S.UNCLEAR: {
        Sign.START: (_S.NOTHING, _D.NOTHING),
        **{sign: (_S.UNCLEAR, _D.NOTHING) for sign in Sign if sign is not Sign.START},
    },
}
"""A value that is said again in the same words is no sign, so each state lacks what can't come."""


class Console:
    """One console, whose lines are given with their numbers.

    ``marks``: lines that have one of these are ``Marked``, and looked at no further.
    """

    def __init__(self, patterns: Sequence[Pattern], marks: Sequence[str] = ()) -> None:
        self._patterns = patterns
        self._marks = marks
        self._state = State.NOTHING
        self._device: PledgeId | None = None
        self._credential: Credential | None = None
        self._line = 0
        self._events: list[Event] = []

    @property
    def waits_since(self) -> int | None:
        """The line that made a pair whole which waits for ``settle``; None if there is none."""
        return self._line if self._state is State.BOTH else None

    def feed(self, text: str | None, number: int) -> list[Event]:
        """What a line says; None is one that was too long, which may have hidden a start."""
        if text is None:
            return self._started(number)
        at = self._start_in(text)
        if at is not None:
            self._started(number, is_seen=True)
        if (marked := _from_mark(text, at or 0, self._marks)) is not None:
            self._events.append(Marked(number, marked))
        else:
            self._look(text, at or 0, number)
        return self._taken()

    def settle(self) -> list[Event]:
        """The pair that waited: long enough, says the caller."""
        self._step(Sign.SETTLED, self._line)
        return self._taken()

    def end(self) -> list[Event]:
        """The console has gone: what comes next is another board's."""
        return self._started(self._line)

    def _started(self, number: int, *, is_seen: bool = False) -> list[Event]:
        self._step(Sign.START, number)
        self._device = self._credential = None
        if is_seen:
            self._events.append(Booted(number))
            return []
        return self._taken()

    def _start_in(self, text: str) -> int | None:
        """Where the last start in a line is: a reset cuts the line before it."""
        found = [
            match.start()
            for pattern in self._patterns
            if pattern.boot is not None
            for match in pattern.boot.finditer(text)
        ]
        return max(found, default=None)

    def _look(self, text: str, at: int, number: int) -> None:
        if value := _first(text, at, [pattern.device_id for pattern in self._patterns]):
            try:
                self._see_device(_identifier(value), number)
            except ValueError as error:
                self._step(Sign.GARBLED, number, f"what should be a device id {error}")
        if value := _first(text, at, [pattern.identity for pattern in self._patterns]):
            try:
                self._see_identity(_credential(value), number)
            except ValueError as error:
                self._step(Sign.GARBLED, number, f"no identity can be taken from it: {error}")

    def _see_device(self, device: PledgeId, number: int) -> None:
        self._events.append(DeviceSeen(number, device))
        if self._device is None:
            self._device, self._line = device, number
            self._step(Sign.DEVICE, number)
        elif self._device != device:
            what = f"two device ids since its start: {self._device} and {device}"
            self._step(Sign.OTHER_DEVICE, number, what, (self._device, device))

    def _see_identity(self, credential: Credential, number: int) -> None:
        self._events.append(IdentitySeen(number, credential))
        if self._credential is None:
            self._credential, self._line = credential, number
            self._step(Sign.IDENTITY, number)
        elif self._credential.value != credential.value:
            what = f"two identities since its start{_whose(self._device)}"
            self._step(Sign.OTHER_IDENTITY, number, what)

    def _step(
        self, sign: Sign, number: int, what: str = "", devices: tuple[PledgeId, ...] = ()
    ) -> None:
        self._state, does = TABLE[self._state][sign]
        if does is Does.GIVE:
            assert self._device is not None
            assert self._credential is not None
            self._events.append(Found(self._line, self._device, self._credential))
        elif does is Does.LEAVE_ALONE:
            self._events.append(Alone(self._line, self._device))
        elif does is Does.COMPLAIN:
            mine = devices or (() if self._device is None else (self._device,))
            self._events.append(Problem(number, what, mine))

    def _taken(self) -> list[Event]:
        events, self._events = self._events, []
        return events


def _from_mark(text: str, begin: int, marks: Sequence[str]) -> str | None:
    found = [at for mark in marks if (at := text.find(mark, begin)) >= 0]
    return text[min(found) :] if found else None


def _first(text: str, at: int, wanted: Sequence[re.Pattern[str] | None]) -> str | None:
    """What the first expression that matches, from ``at`` on, has for a value."""
    for each in wanted:
        if each is not None and (found := each.search(text, at)) and found[VALUE]:
            return str(found[VALUE]).strip()
    return None


def _identifier(value: str) -> PledgeId:
    device = PledgeId(console_values.identifier(value))
    check_identifier(device.value)
    return device


def _credential(value: str) -> Credential:
    try:
        found = console_values.item(value)
    except ValueError as error:
        raise ValueError(f"it {error}") from None
    return parse(found)


def _whose(device: PledgeId | None) -> str:
    return f" of {device}" if device is not None else ""
