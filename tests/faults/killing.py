"""Run inside a network namespace of its own: SIGKILL in join storms, with an operator at work.

``python -m tests.faults.killing FOLDER ORDERS`` prints what came of it as JSON; ``ORDERS`` is JSON
itself (``Orders``). Rollovers run, pledges are imported and revoked, nodes hear updates.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from tests.daemon.crew import JRC_LISTEN, prepare
from tests.daemon.site import Daemon, Site
from tests.faults import quick_clock
from tests.faults.broken import program
from tests.faults.commands import Commands
from tests.faults.nodes import Nodes
from tests.faults.storm import Storm
from tests.unshared import run_inside

PLEDGES: Final = 32
LONGEST_S: Final = 0.6
"""Between a start and a kill, but for every tenth: that may take five times as long."""
LONG: Final = 100
"""Kills of a storm whose rollovers are to end at last."""
ROLLOVER_ENDS_WITHIN_S: Final = 120.0
"""Sender numbers are due no sooner than their seconds, and each start reserves some anew."""
LOOK_AGAIN_S: Final = 0.2
COMPARED_EVERY: Final = 20
"""In a long storm; else before each kill."""
VERIFIED_EVERY: Final = 100
PROGRESS_EVERY: Final = 50
A_KILL_S: Final = 6.0
"""Of patience for each."""
SECTION: Final = """\
[rollover]
ack_timeout_s = 0.2
max_retransmit = 3
guard_time_s = 1
retry_s = 1
retry_max_s = 2
rate_bytes_per_s = 1000000
in_flight = 16
deadline_s = 86400
"""
"""A hundredth of the times of a mesh: loopback has no slots to wait for. Nobody is there to have a
rollover go on that has paused, so its deadline is far."""


@dataclass(frozen=True, slots=True)
class Orders:
    """``kills`` of daemons that may have a ``fault`` of ``broken.py``.

    It ends before where the witness has seen a violation with some of the words of ``until`` in
    it. ``short_ids`` is the range they are taken from. More than one of ``daemons`` are registrars
    on one database; ``server`` is the URL of an empty one on PostgreSQL, in place of a file. A
    ``fast`` wall clock lets rollovers end though no daemon lives long (``quick_clock.py``).
    """

    kills: int
    seed: int = 20310831
    fault: str | None = None
    until: Sequence[str] = ()
    patience_s: float = 20.0
    short_ids: str = ""
    daemons: int = 1
    server: str = ""
    within_s: float = 0.0
    fast: bool = False

    def carry_out(self, folder: Path) -> "Report":
        """What comes of it."""
        arguments = (str(folder / "site"), json.dumps(asdict(self)))
        patience_s = 60.0 + self.kills * A_KILL_S
        found = run_inside("tests.faults.killing", *arguments, patience_s=patience_s)
        return Report(**found)


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it; ``violations`` are sentences, and should be none.

    ``updates`` and ``acknowledged`` commands were heard of, ``rollovers`` begun, and some of them
    ``ended`` with all nodes told; ``stalls`` are answers that were owed at the end and never came.
    ``broke_off`` is empty, or says why the storm did not go on or end well: no test passes then.
    """

    violations: list[str]
    stalls: int
    kills: int
    answers: int
    copies: int
    updates: int
    acknowledged: int
    imported: int
    revoked: int
    rollovers: int
    ended: int
    seconds: float
    broke_off: str = ""


class Experiment:
    """One database and its pledges; daemons on it come and go."""

    def __init__(self, sites: Sequence[Site], orders: Orders) -> None:
        self._sites = sites
        self._orders = orders
        devices = sites[0].new_devices(PLEDGES)
        sites[0].import_devices(devices[:1], role="6lbr")
        sites[0].import_devices(devices[1:])
        self.storm = Storm(devices, orders.seed, orders.patience_s)
        self._running: dict[int, Daemon] = {}
        self._ends_s = time.monotonic() + (orders.within_s or float("inf"))
        self._environ = quick_clock.environ() if orders.fast else {}
        self._built_in = "+".join(
            filter(None, (orders.fault, quick_clock.clock_runs_fast.__name__ * orders.fast))
        )
        self.kills = self.acknowledged = self.updates = self.rollovers = self.ended = 0
        self.broke_off = ""

    def run(self, progress: Callable[[str], None]) -> None:
        """Start and kill until there were enough kills, or enough was seen; then settle."""
        storm = self.storm
        with Nodes(storm.peers, storm.witness, self._orders.seed) as nodes:
            try:
                self._storm(progress)
            except (AssertionError, OSError, httpx.TransportError) as error:
                # A report that says so is worth more than none after an hour.
                self.broke_off = f"after {self.kills} kills: {error!r}"
            finally:
                self._end(*self._running)
            self.updates = nodes.heard

    def _storm(self, progress: Callable[[str], None]) -> None:
        while not self._is_over():
            self._start()
            self._look(self._running[0])
            self._blow()
            if self.kills % PROGRESS_EVERY == 0:
                progress(self._so_far())
        if not self._has_seen():
            self._start()
            self._settle(self._running[0])

    def _so_far(self) -> str:
        violations = len(self.storm.witness.violations)
        return f"{self.kills} kills, {self.storm.answered} answers, {violations} violations"

    def _is_over(self) -> bool:
        enough = self.kills >= self._orders.kills or time.monotonic() > self._ends_s
        return enough or self._has_seen()

    def _has_seen(self) -> bool:
        violations = self.storm.witness.violations
        return any(words in text for words in self._orders.until for text in violations)

    def _look(self, daemon: Daemon) -> None:
        """Compare, and change what everybody is told: an answer that is made anew shows."""
        if self.kills < LONG or self.kills % COMPARED_EVERY == 0:
            self.storm.compare(daemon)
        if self.kills % VERIFIED_EVERY == 1:
            self.storm.verify(daemon)
        rate = {"join_rate_bytes_per_s": 100_000 + self.kills, "reason": "storm"}
        daemon.api("PATCH", "/v1/networks/lab", json=rate)

    def _start(self) -> None:
        for number, site in enumerate(self._sites):
            if number not in self._running:
                self._running[number] = site.start(program(self._built_in), environ=self._environ)

    def _end(self, *numbers: int) -> None:
        for number in numbers:
            daemon = self._running.pop(number)
            daemon.kill()
            self.storm.look_for_secrets(daemon.log)

    def _blow(self) -> None:
        """A storm, and SIGKILL in the midst of it to one daemon, or to all of them."""
        chance, storm = self.storm.chance, self.storm
        longest_s = LONGEST_S * (5 if chance.random() < 0.1 else 1)
        victims = list(self._running)
        if chance.random() < 0.8:
            victims = [chance.choice(victims)]
        with Commands(self._sites, storm.peers, storm.witness, self.kills) as commands:
            storm.blow(list(self._running.values()), chance.uniform(0.0, longest_s))
            self._end(*victims)
        storm.listen()
        self.kills += 1
        self.acknowledged += len(commands.acknowledged)

    def _settle(self, daemon: Daemon) -> None:
        """All that was owed is given; in a long storm the rollover that runs ends as well."""
        if self._orders.kills >= LONG:
            self._wait_for_the_rollover(daemon)
        self.storm.settle(list(self._running.values()))
        self.storm.compare(daemon)
        self.storm.verify(daemon, anew=True)
        self.rollovers, self.ended = _count(daemon, "started"), _count(daemon, "done")

    def _wait_for_the_rollover(self, daemon: Daemon) -> None:
        ends_s = time.monotonic() + ROLLOVER_ENDS_WITHIN_S
        while _phase(daemon) not in ("done", "aborted", None):
            if time.monotonic() > ends_s:
                self.storm.stalls += 1
                self.broke_off = "the rollover that ran did not end"
                return
            time.sleep(LOOK_AGAIN_S)

    def report(self, seconds: float) -> Report:
        """What came of it."""
        witness = self.storm.witness
        return Report(
            violations=witness.violations,
            stalls=self.storm.stalls,
            kills=self.kills,
            answers=self.storm.answered,
            copies=witness.copies,
            updates=self.updates,
            acknowledged=self.acknowledged,
            imported=len(witness.imported),
            revoked=len(witness.revoked),
            rollovers=self.rollovers,
            ended=self.ended,
            seconds=seconds,
            broke_off=self.broke_off,
        )


def _phase(daemon: Daemon) -> object:
    return daemon.api("GET", "/v1/rollovers/lab", params={"limit": 0})["phase"]


def _count(daemon: Daemon, phase: str) -> int:
    """Rollovers that have come to a phase."""
    asked = {"kind": f"rollover.{phase}", "limit": 1000}
    found = daemon.api("GET", "/v1/events", params=asked)["events"]
    assert isinstance(found, list)
    return len(found)


def make_site(folder: Path, *, short_ids: str = "", server: str = "") -> Site:
    """A site for a storm: the network lab, and rollovers that are quick."""
    site = Site.make(folder, listen=JRC_LISTEN, server=server or None)
    with site.config.open("a") as config:
        config.write(SECTION)
    site.add_lab(*(("--short-ids", short_ids) if short_ids else ()))
    return site


def another(site: Site, number: int) -> Site:
    """One more registrar on the database of ``site``, with an address and a host of its own."""
    other = site.copy(site.folder.with_name(f"other{number}"))
    other.change(JRC_LISTEN, JRC_LISTEN.replace(":5690", f":{5690 + number}"))
    if site.database.exists():
        other.change('"sqlite:///jrc.db"', f'"sqlite:///{site.database}"')
    return other


def main(folder: Path, orders: Orders) -> None:
    """Set everything up, carry it out, print the report."""
    prepare()
    began_s = time.monotonic()
    site = make_site(folder, short_ids=orders.short_ids, server=orders.server)
    experiment = Experiment(
        [site, *(another(site, number) for number in range(1, orders.daemons))], orders
    )
    experiment.run(lambda text: print(text, file=sys.stderr, flush=True))
    report: dict[str, Any] = asdict(experiment.report(round(time.monotonic() - began_s, 1)))
    print(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Orders(**json.loads(sys.argv[2])))
