"""One run of `jrc provision watch`: from consoles to the registrar, and onto the screen."""

import time
from dataclasses import dataclass
from typing import Final

from jrc.cli.watch_keys import Keys
from jrc.cli.watch_outbox import MAX_KEPT, Outbox, Sighting, Stored
from jrc.cli.watch_rows import Rows, Trouble, name_of
from jrc.cli.watch_screen import Screen
from jrc.errors import JrcError
from jrc.provision.console import Found
from jrc.provision.watching import Happened, Watch, Watched

LOOK_EVERY_S: Final = 1.0
STORE_WITHIN_S: Final = 10.0
"""At the end, for what is not stored yet."""
MAX_DEVICES: Final = 1_000
"""With an identity, on one port in one run: a console may name devices without end."""
_FICKLE: Final = Trouble(
    "it shows a new identity at each start: its firmware keeps none",
    "give its firmware the storage that its key is kept in",
)
_OVERRUN: Final = Trouble(
    f"more than {MAX_DEVICES} devices in one run; further ones are left out",
    "see what is on that port; if all of them are real, start the command anew, and divide a"
    " recording",
)
_CROWDED: Final = Trouble(
    "too many wait for the registrar", "let it start again when the registrar is back"
)


@dataclass(frozen=True, slots=True)
class Until:
    """When it is enough: so many devices, or so long."""

    devices: int | None
    seconds: float


class Session:
    """One run of the command, from the first look to the last identity that was stored."""

    def __init__(
        self, watched: Watch, shown: Screen, until: Until, *, is_recording: bool = False
    ) -> None:
        self.rows = Rows(shown.tell, is_recording=is_recording)
        self._watch = watched
        self._screen = shown
        self._until = until
        self._outbox: Outbox | None = None
        self._devices: dict[str, set[str]] = {}
        """Ids that a port has said with an identity."""
        self.keys: Keys | None = None
        """Of devices that get some."""
        self.broken: JrcError | None = None
        """What has ended the run before its time; what was seen is summed up all the same."""

    @property
    def stored_devices(self) -> int:
        """As many as are done with."""
        return self.rows.tally.stored if self.keys is None else len(self.keys.stored())

    def run(self, outbox: Outbox) -> list[Sighting]:
        """Follows the ports until it is enough, or Ctrl-C: what is not stored."""
        self._outbox = outbox
        outbox.start()
        for each in self._watch.watched:
            self.rows.add(each.port.label)
        try:
            self._follow(outbox)
        except KeyboardInterrupt:
            pass
        except JrcError as error:
            self.broken = error
        return self._finish(outbox)

    def stored(self, done: Stored) -> None:
        """The registrar's word on an identity."""
        self.rows.stored(done)

    def _follow(self, outbox: Outbox) -> None:
        ends_s = time.monotonic() + self._until.seconds
        while not self._is_enough() and (left_s := ends_s - time.monotonic()) > 0:
            if self._watch.is_over and (outbox.away or not outbox.waiting):
                return
            has_room = outbox.waiting < MAX_KEPT // 2
            for happened in self._watch.turn(min(left_s, LOOK_EVERY_S), reads_files=has_room):
                self._take(happened)
            outbox.finished()
            if self.keys is not None:
                self.keys.look()
            self._show()

    def _finish(self, outbox: Outbox) -> list[Sighting]:
        if self.keys is not None:
            self.keys.end()
        try:
            for happened in self._watch.end():
                self._take(happened)
            outbox.stop(STORE_WITHIN_S)
        except KeyboardInterrupt:
            outbox.stop(0)
        except JrcError as error:
            self.broken = self.broken or error
        self._show()
        return outbox.left()

    def _take(self, happened: Happened) -> None:
        self.rows.happened(happened)
        assert self._outbox is not None
        event = happened.event
        if self.keys is not None:
            self.keys.happened(happened)
        if isinstance(event, Found):
            self._store(event, happened)

    def _store(self, found: Found, happened: Happened) -> None:
        assert self._outbox is not None
        device, where = str(found.device), name_of(happened)
        if self.rows.is_fickle(device, found.credential.thumbprint.hex()):
            self.rows.not_taken(where, device, _FICKLE)
        elif not self._has_room(happened.watched, device):
            self.rows.overrun(where, happened.watched.port.label, _OVERRUN)
        elif not self._outbox.put(Sighting(found.device, found.credential, where)):
            self.rows.not_taken(where, device, _CROWDED)

    def _has_room(self, port: Watched, device: str) -> bool:
        """Whether a port may name one more device, if it is one more."""
        known = self._devices.setdefault(port.port.label, set())
        if len(known) < MAX_DEVICES:
            known.add(device)
        return device in known

    def _is_enough(self) -> bool:
        wanted = self._until.devices
        return wanted is not None and self.stored_devices >= wanted

    def _show(self) -> None:
        for each in self._watch.watched:
            self.rows.heard(each.port.label, each.bytes_read)
            if not each.port.is_open and not each.is_over:
                self.rows.waiting(each.port.label, each.port.trouble)
        away = self._outbox.away if self._outbox else ""
        waiting = self._outbox.waiting if self._outbox else 0
        kept = f"; {waiting} wait for the registrar" if waiting else ""
        trouble = f" ({away})" if away else ""
        self.rows.registrar(away)
        self._screen.show(
            list(self.rows.rows.values()),
            f"{devices(self.stored_devices)} stored{kept}{trouble}",
        )


def devices(number: int) -> str:
    """So many of them, in words."""
    return "1 device" if number == 1 else f"{number} devices"
