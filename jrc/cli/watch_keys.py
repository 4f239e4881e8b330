"""`jrc provision watch --send-keys`: devices that offer themselves get their key down their port.

Keys are in this process's memory alone, and in what goes down a port and to the registrar.
"""

import stat
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import typer

from jrc.cli import key_entering
from jrc.cli.client import Api
from jrc.cli.pledge_generate import import_columns
from jrc.cli.watch_outbox import Errand
from jrc.cli.watch_rows import Rows, State, Trouble
from jrc.errors import ExitCode, OperatorError
from jrc.provision.backchannel import Course
from jrc.provision.backlines import MARK
from jrc.provision.bench import (
    MAX_DEVICES,
    MAX_DEVICES_ON_A_PORT,
    Action,
    Bench,
    Compare,
    Enter,
    Send,
)
from jrc.provision.bench_plan import News
from jrc.provision.console import Marked
from jrc.provision.ports import STDIN
from jrc.provision.serial_line import PortClosedError
from jrc.provision.source import KeySource
from jrc.provision.watching import Change, Happened, Watched

MARKS: Final = (MARK,)
_STATES: Final[Mapping[Course, State]] = {
    Course.UNHEARD: State.DEVICE,
    Course.GREETED: State.DEVICE,
    Course.ENTERING: State.ENTERING,
    Course.READY: State.DEVICE,
    Course.COMPARING: State.ENTERING,
    Course.SENT: State.KEY_SENT,
    Course.DONE: State.KEY_STORED,
}
"""All others are problems."""
_NO_ROOM: Final = Trouble(
    f"a run is for {MAX_DEVICES} devices, and for {MAX_DEVICES_ON_A_PORT} on a port",
    "look whether one board says many names there; else start the command anew",
)


class Wanted(NamedTuple):
    """What was said of keys: who gets one, and in which form."""

    terms: key_entering.Terms
    derived: bool


def wanted_of(
    ports: Sequence[str],
    networks: Sequence[str],
    role: str | None,
    *,
    send_keys: bool,
    derived: bool,
    renew: bool,
) -> Wanted | None:
    """What was said of keys, None where devices are to get none.

    Raises:
        OperatorError: one of the ports is a file, a pipe or standard input.
        BadParameter: options contradict each other.
    """
    if not send_keys:
        if networks or role is not None or derived or renew:
            raise typer.BadParameter("--network, --role, --derived and --renew go with --send-keys")
        return None
    for given in ports:
        _refuse_unwritable(given)
    return Wanted(key_entering.Terms(import_columns(networks, role), renew), derived)


class Keys:
    """The devices of one run that get keys."""

    def __init__(
        self,
        rows: Rows,
        ask: Callable[[Errand], None],
        wanted: Wanted,
        reason: str,
        *,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rows = rows
        self._ask = ask
        self._terms = wanted.terms
        self._reason = reason
        self._now_s = now_s
        self._bench = Bench(KeySource(), derived=wanted.derived)
        self._ports: dict[str, Watched] = {}
        self._is_over = False

    def happened(self, happened: Happened) -> None:
        """Something on a port: a line of the back-channel, or what is of no interest here."""
        path, event = happened.watched.port.path, happened.event
        self._ports[path] = happened.watched
        if event is Change.OPENED:
            self._do(self._bench.opened(path))
        elif isinstance(event, Marked):
            self._do(self._bench.heard(path, event.text, self._now_s()))

    def look(self) -> None:
        """Ask those again that ought to have answered."""
        self._do(self._bench.late(self._now_s()))

    def end(self) -> None:
        """Sends nothing more."""
        self._is_over = True

    def left(self) -> dict[str, Trouble]:
        """Why and what to do, of each device that has no key, or none that the registrar knows."""
        found = {
            str(news.identifier): Trouble(
                news.why or f"the run ended while it was {news.course.value}", news.remedy
            )
            for news in self._bench.news()
            if news.course is not Course.DONE
        }
        for path in self._bench.left_out:
            found[f"others at {self._ports[path].port.label}"] = _NO_ROOM
        return found

    def stored(self) -> dict[str, str | None]:
        """The key check value of each device that has its key."""
        return {
            str(news.identifier): news.check
            for news in self._bench.news()
            if news.course is Course.DONE
        }

    def _do(self, actions: Sequence[Action]) -> None:
        for action in actions:
            if isinstance(action, Send):
                self._send(action)
            elif isinstance(action, News):
                self._tell(action)
            else:
                self._ask(self._errand(action))

    def _send(self, send: Send) -> None:
        """What can't be sent is asked for again, or the device offers itself again."""
        if not self._is_over:
            with suppress(PortClosedError):
                self._ports[send.port].port.write(send.data.reveal())

    def _errand(self, question: Enter | Compare) -> Errand:
        """A question for the registrar, which is asked in another thread than this one."""
        if isinstance(question, Compare):
            return partial(self._compare, question)
        return partial(self._enter, question, self._ports[question.port].port.label)

    def _enter(self, question: Enter, where: str, api: Api) -> Callable[[], None]:
        if self._is_over:  # it would never be sent
            return lambda: None
        answer = key_entering.enter(api, question.device, self._terms, where, self._reason)
        identifier = question.device.identifier
        return lambda: self._do(self._bench.entered(identifier, answer, self._now_s()))

    def _compare(self, question: Compare, api: Api) -> Callable[[], None]:
        identifier = question.identifier
        answer = key_entering.compare(api, identifier, question.check)
        return lambda: self._do(self._bench.compared(identifier, answer, self._now_s()))

    def _tell(self, news: News) -> None:
        self._rows.keyed(
            self._ports[news.port].port.label,
            _STATES.get(news.course, State.PROBLEM),
            news,
        )


def _refuse_unwritable(given: str) -> None:
    path = given if Path(given).exists() else given.rpartition("=")[0] or given
    if path == STDIN or (Path(path).exists() and not stat.S_ISCHR(Path(path).stat().st_mode)):
        raise OperatorError(
            f"--send-keys: {path} can't be written to",
            "give the serial port itself; without --send-keys files and pipes can be watched",
            exit_code=ExitCode.USAGE,
        )
