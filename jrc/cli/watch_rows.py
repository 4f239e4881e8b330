"""What `jrc provision watch` knows of each console: a row each, and what is told of its changes.

Nothing of a line is kept or shown but ids and thumbprints of public keys.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, NamedTuple, TypeVar

from jrc.cli.output import Record
from jrc.cli.watch_outbox import Stored
from jrc.provision.bench_plan import News
from jrc.provision.console import (
    Alone,
    Booted,
    DeviceSeen,
    Event,
    Found,
    IdentitySeen,
    Problem,
)
from jrc.provision.serial_line import ABSENT
from jrc.provision.watching import Change, Happened

T = TypeVar("T")
MAX_REMEMBERED: Final = 10_000
"""Devices by name in each part of the summary."""
MAX_KEYS: Final = 4
"""Of one device in one run; a board that is flashed anew a few times has as many."""


class Trouble(NamedTuple):
    """What is wrong, and what to do if there is more to do than to let a board start again."""

    why: str
    remedy: str = ""


_STUCK: Final = Trouble(
    "it takes nothing that is sent to it; what it says is read",
    "look at its cable, and whether its firmware reads its console",
)


class State(StrEnum):
    """Of a console, or of the board on it."""

    WAITING = "waiting"
    LISTENING = "listening"
    BOOTED = "booted"
    DEVICE = "id seen"
    IDENTITY = "identity seen"
    SENDING = "sending"
    NEW = "new"
    SAME = "same"
    SUPERSEDED = "superseded"
    REFUSED = "refused"
    PROBLEM = "problem"
    ENDED = "ended"
    ENTERING = "asks registrar"
    KEY_SENT = "key sent"
    KEY_STORED = "has key"


@dataclass(slots=True)
class Row:
    """A console: a port, or one board of several on a port."""

    name: str
    state: State = State.WAITING
    device: str = ""
    thumbprint: str = ""
    key: str = ""
    """The check value of the key that the board has."""
    trouble: str = ""
    stored: int = 0
    problems: int = 0
    bytes_read: int = 0
    last: datetime | None = None


@dataclass(slots=True)
class Tally:
    """What has come of all: devices by their id."""

    outcomes: dict[str, str] = field(default_factory=dict)
    refused: dict[str, Stored] = field(default_factory=dict)
    alone: dict[str, str] = field(default_factory=dict)
    unclear: dict[str, Trouble] = field(default_factory=dict)
    """Devices that were not clear, else consoles, and why: till the device is seen whole, or the
    next one of a console; a recording's console has no next one."""
    keys: dict[str, set[str]] = field(default_factory=dict)
    """The thumbprints that a device has shown."""

    @property
    def stored(self) -> int:
        """Devices whose identity the registrar has."""
        return len(self.outcomes)


class Rows:
    """The rows by name. ``tell`` gets a record of each change; ``now`` is the time in UTC."""

    def __init__(
        self,
        tell: Callable[[Record], None],
        *,
        is_recording: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.rows: dict[str, Row] = {}
        self.tally = Tally()
        self._tell = tell
        self._is_recording = is_recording
        self._away = ""
        self._now = now
        self._keyed: dict[str, set[str]] = {}
        """The devices of each row that have their key."""

    def add(self, name: str, trouble: str = "") -> Row:
        """The row of a console, made if there is none."""
        return self.rows.setdefault(name, Row(name, trouble=trouble))

    def happened(self, happened: Happened) -> None:
        """Something on a port."""
        row = self.add(name_of(happened))
        row.last = self._now()
        event = happened.event
        if isinstance(event, Change):
            self._port_changed(row, event, happened.watched.port.trouble)
        else:
            self._said(row, event)

    def heard(self, name: str, bytes_read: int) -> None:
        """A port has printed so much by now."""
        row = self.add(name)
        if bytes_read != row.bytes_read:
            row.bytes_read, row.last = bytes_read, self._now()

    def waiting(self, name: str, trouble: str) -> None:
        """A port is not open, and why; of one that was closed it is told already."""
        row = self.add(name)
        is_news = trouble not in ("", row.trouble)
        row.trouble = trouble
        if is_news and (row.last is None or trouble != ABSENT):
            self._report(row, "waiting", error=trouble)

    def stored(self, done: Stored) -> None:
        """The registrar's word on an identity."""
        row, device = self.add(done.sighting.where), str(done.sighting.device)
        self.tally.refused.pop(device, None)
        if done.error:
            _keep(self.tally.refused, device, done)
        else:
            self.tally.outcomes[device] = done.outcome
            self.tally.alone.pop(device, None)
            row.stored += 1
        if row.device == device and row.state is not State.PROBLEM:
            row.state, row.trouble = State(done.outcome), done.error
        self._report(
            row, done.outcome, pledge_id=device, error=done.error or None, hint=done.hint or None,
            thumbprint=done.sighting.credential.thumbprint.hex(),
        )  # fmt: skip

    def is_fickle(self, device: str, thumbprint: str) -> bool:
        """Whether a device shows a new key again and again, as of firmware that keeps none."""
        shown = self.tally.keys.setdefault(device, set())
        if len(shown) < MAX_KEYS:
            shown.add(thumbprint)
        while len(self.tally.keys) > MAX_REMEMBERED:
            del self.tally.keys[next(iter(self.tally.keys))]
        return thumbprint not in shown

    def not_taken(self, row_name: str, device: str, trouble: Trouble) -> None:
        """An identity that is not given to the registrar."""
        row = self.add(row_name)
        row.state, row.trouble = State.PROBLEM, trouble.why
        _keep(self.tally.unclear, device, Trouble(f"{row_name}: {trouble.why}", trouble.remedy))
        self._report(row, "problem", pledge_id=device, error=trouble.why, hint=trouble.remedy)

    def overrun(self, row_name: str, port: str, trouble: Trouble) -> None:
        """A port names too many devices, which is told once."""
        row, others = self.add(row_name), f"others on {port}"
        row.state, row.trouble = State.PROBLEM, trouble.why
        if others not in self.tally.unclear:
            _keep(self.tally.unclear, others, trouble)
            self._report(row, "problem", error=trouble.why, hint=trouble.remedy)

    def registrar(self, away: str) -> None:
        """Whether the registrar can be reached: empty if it can, else why not."""
        if away != self._away:
            self._away = away
            error = {"error": away} if away else {}
            self._tell({"at": self._at(), "event": "away" if away else "back", **error})

    def keyed(self, name: str, state: State, news: News) -> None:
        """How it stands with the key of a device."""
        row = self.add(name)
        row.state, row.device, row.key = state, str(news.identifier), news.check or ""
        row.trouble = news.why
        row.problems += state is State.PROBLEM
        keyed = self._keyed.setdefault(name, set())
        keyed.discard(row.device)
        if state is State.KEY_STORED:
            keyed.add(row.device)
        row.stored = len(keyed)
        self._report(
            row, "key stored" if news.is_new else f"key {news.course.value}",
            pledge_id=row.device, key_check=news.check, error=news.why or None,
            hint=news.remedy or None,
        )  # fmt: skip

    def _port_changed(self, row: Row, change: Change, trouble: str) -> None:
        if change is Change.STUCK:
            row.trouble = _STUCK.why
            self._report(row, change.value, error=_STUCK.why, hint=_STUCK.remedy)
            return
        state = {Change.OPENED: State.LISTENING, Change.CLOSED: State.WAITING}
        row.state, row.trouble = state.get(change, State.ENDED), trouble
        row.device = row.thumbprint = row.key = ""
        self._report(row, change.value, error=trouble or None)

    def _said(self, row: Row, event: Event) -> None:
        if isinstance(event, Booted):
            row.state, row.trouble = State.BOOTED, ""
            row.device = row.thumbprint = row.key = ""
        elif isinstance(event, DeviceSeen):
            row.device = str(event.device)
            row.state = _unless_troubled(row, State.DEVICE)
        elif isinstance(event, IdentitySeen):
            row.thumbprint = event.credential.thumbprint.hex()
            row.state = _unless_troubled(row, State.IDENTITY)
        elif isinstance(event, Found):
            row.state = State.SENDING
            self.tally.unclear.pop(str(event.device), None)
            if not self._is_recording:
                self.tally.unclear.pop(row.name, None)
            row.device, row.thumbprint = str(event.device), event.credential.thumbprint.hex()
        elif isinstance(event, Alone):
            self._left_alone(row, event)
        elif isinstance(event, Problem):
            row.state, row.trouble = State.PROBLEM, f"line {event.line}: {event.what}"
            row.problems += 1
            for key in map(str, event.devices) if event.devices else (row.name,):
                where = f"{row.name}: " if event.devices else ""
                _keep(self.tally.unclear, key, Trouble(f"{where}{row.trouble}"))
            self._report(row, "problem", line=event.line, error=event.what)

    def _left_alone(self, row: Row, event: Alone) -> None:
        device = "" if event.device is None else str(event.device)
        if device in self.tally.outcomes or device in self.tally.alone:
            return
        if device:
            _keep(self.tally.alone, device, row.name)
        what = "an id without an identity" if device else "an identity without a device id"
        self._report(row, "alone", pledge_id=device or None, line=event.line, error=what)

    def _report(self, row: Row, event: str, **fields: object) -> None:
        given = {name: value for name, value in fields.items() if value is not None}
        self._tell({"at": self._at(), "port": row.name, "event": event, **given})

    def _at(self) -> str:
        return f"{self._now():%Y-%m-%dT%H:%M:%SZ}"


def _unless_troubled(row: Row, state: State) -> State:
    """A problem is shown till the board starts anew."""
    return State.PROBLEM if row.state is State.PROBLEM else state


def _keep(known: dict[str, T], name: str, value: T) -> None:
    """Remembers no more than there is room for: what a console prints must not fill the memory."""
    if name in known or len(known) < MAX_REMEMBERED:
        known[name] = value


def name_of(happened: Happened) -> str:
    """What the board of an event is called: the port's label, and its own name if it has one."""
    label = happened.watched.port.label
    return f"{label}/{happened.source}" if happened.source else label
