"""Waiting for a rollover to end, and showing how it goes; ``jrc pledge revoke --wait`` does so too.

Exit codes: 0 done, 5 paused or not finished in time, 1 aborted. A rollover that was named by its
number has been aborted also where another one takes its place.
"""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Annotated

import typer

from jrc.cli.client import segment
from jrc.cli.output import Record
from jrc.cli.patience import Patient, TimeIsUp
from jrc.cli.reporting import INTERRUPTED, say
from jrc.cli.rollover_screen import Screen, screen
from jrc.errors import ExitCode, OperatorError
from jrc.service.windows import parse_duration

LOOK_EVERY_S = 1.0
_ROWS_WHILE_WAITING = 5
NODES_PER_S = 1000
"""So many nodes may be fetched a second: those of 10,000 are as of ten seconds ago at most."""

Wait = Annotated[
    bool,
    typer.Option(
        "--wait", help="Return when it is over. Exit code 5: paused, or not finished; 1: aborted."
    ),
]
Timeout = Annotated[
    str | None,
    typer.Option("--timeout", metavar="TIME", help="With --wait: how long, such as 90s or 2h."),
]


def path_of(network: str) -> str:
    """Where the API has the rollovers of a network."""
    return f"/v1/rollovers/{segment('the name', network)}"


class Watcher:
    """Looks at a network's rollover again and again, at a cost that its size does not raise.

    ``number`` is that of one rollover; None is whichever runs, or ran last.
    """

    def __init__(
        self,
        daemon: Patient,
        network: str,
        number: int | None = None,
        *,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.network = network
        self._daemon = daemon
        self._path = path_of(network)
        self._which: dict[str, str | int] = {} if number is None else {"id": number}
        self._now_s = now_s
        self._nodes: Sequence[Record] = ()
        self._seen: tuple[object, object] = (None, None)
        self._fetch_at_s = -math.inf

    def look(self) -> tuple[Record, Sequence[Record]]:
        """The rollover as it is now, and its nodes as of not long ago."""
        status = self._daemon.get(self._path, {"limit": 0, **self._which})
        seen = (status["id"], status["phase"])
        if seen != self._seen or self._now_s() >= self._fetch_at_s:
            self._nodes = self._fetch()
            self._fetch_at_s = self._now_s() + len(self._nodes) / NODES_PER_S
            self._seen = seen
        return status, self._nodes

    def _fetch(self) -> list[Record]:
        nodes: list[Record] = []
        after: object = None
        while True:
            query = self._which if after is None else {**self._which, "after": str(after)}
            page = self._daemon.get(self._path, query)
            found, after = page["nodes"], page["next"]
            assert isinstance(found, list)
            nodes += found
            if after is None:
                return nodes

    def show_until(self, shown: Screen, is_enough: Callable[[Record], bool]) -> Record:
        """Shows each look; the first one that is enough.

        Where another rollover follows, the end of the one before is shown as well.

        Raises:
            TimeIsUp: the time that was given is over.
        """
        before: object = None
        while True:
            status, nodes = self.look()
            if before not in (None, status["id"]):
                shown.show(self._daemon.get(self._path, {"limit": 0, "id": str(before)}), ())
            before = status["id"]
            shown.show(status, nodes)
            if is_enough(status):
                return status
            self._daemon.rest(LOOK_EVERY_S)

    def is_over(self, status: Record) -> bool:
        """Whether it has ended and, where it may be any, no other one is to begin."""
        return status["ended"] is not None and (bool(self._which) or status["wanted"] is None)

    def successor(self, status: Record) -> str | None:
        """What takes the place of one that was aborted, in a sentence; None for nothing."""
        if status["phase"] != "aborted":
            return None
        now = self._daemon.get(self._path, {"limit": 0})
        if now["id"] != status["id"]:
            other = f"another rollover ({now['cause']}) has taken its place, and is {now['phase']}"
        elif now["wanted"]:
            other = f"another rollover ({now['wanted']}) takes its place"
        else:
            return None
        return f"{self.network}: {other}; `jrc rollover watch {self.network}` shows it"

    def is_held(self, status: Record) -> bool:
        """Whether it is over, or goes no further without a person."""
        return self.is_over(status) or status["phase"] == "paused"


def exit_code_of(status: Record) -> ExitCode:
    """What a script is told of how it stands."""
    codes = {"done": ExitCode.DONE, "aborted": ExitCode.FAILED}
    return codes.get(str(status["phase"]), ExitCode.UNFINISHED)


def wait_for(watcher: Watcher, shown: Screen) -> tuple[int, Record | None]:
    """Shows a rollover until it is over or held: the exit code, and how it stands then.

    Ctrl-C, or a time that is over, leaves it running and says so; there is no status then.
    """
    network = watcher.network
    try:
        status = watcher.show_until(shown, watcher.is_held)
    except TimeIsUp:
        say(f"{network}: not finished in the time that was given; {_goes_on(network)}")
        return ExitCode.UNFINISHED, None
    except KeyboardInterrupt:
        say(f"{network}: {_goes_on(network)}")
        return INTERRUPTED, None
    with suppress(TimeIsUp):
        if successor := watcher.successor(status):
            say(successor)
    return exit_code_of(status), status


def wait_on_screen(watcher: Watcher) -> tuple[int, Record | None]:
    """``wait_for``, shown on standard error: what the command prints at last is its answer."""
    with screen(to_stderr=True, each_node=False, most_rows=_ROWS_WHILE_WAITING) as shown:
        return wait_for(watcher, shown)


def _goes_on(network: str) -> str:
    return (
        f"the rollover goes on without this command, `jrc rollover watch {network}` shows it and"
        f" `jrc rollover pause {network}` holds it"
    )


def seconds_of(timeout: str | None, *, waits: bool) -> float:
    """The seconds of ``--timeout``, which goes with ``--wait``.

    Raises:
        OperatorError: it is no time, or there is nothing to wait for.
    """
    if timeout is None:
        return math.inf
    if not waits:
        raise OperatorError("--timeout goes with --wait", exit_code=ExitCode.USAGE)
    try:
        return parse_duration(timeout)
    except ValueError as error:
        raise OperatorError(
            f"--timeout: {error}", "write it as 90s, 10m, 2h or 1d", exit_code=ExitCode.USAGE
        ) from None
