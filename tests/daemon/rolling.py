"""Run inside a network namespace of its own: `jrc run` changes the keys of nodes that live there.

``python -m tests.daemon.rolling FOLDER ORDERS`` prints what came of it as JSON; ``ORDERS`` is JSON
itself (``Orders``).
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

from jrc.lab.mesh import Sleep
from jrc.lab.node import SimulatedNode
from tests.daemon.crew import JRC_LISTEN, PATIENCE_S, Crew, prepare
from tests.daemon.site import Daemon, Site
from tests.faults.dying import program

GUARD_S: Final = 2.0
PERIOD_S: Final = 0.1
_LOOK_AGAIN_S: Final = 0.25
_SECTION: Final = f"""\
[rollover]
ack_timeout_s = 0.3
max_retransmit = 3
guard_time_s = {GUARD_S}
retry_s = 2
retry_max_s = 4
rate_bytes_per_s = 1000000
in_flight = 16
"""
"""A hundredth of the times of a mesh: loopback has no slots to wait for."""


@dataclass(frozen=True, slots=True)
class Orders:
    """``kills`` at random moments, of one rollover after the other; 0 is one without any.

    ``dies_in`` is a phase: the daemon dies as it comes there, ``before`` or ``after`` the commit.
    """

    nodes: int = 20
    loss: float = 0.1
    sleepy: int = 0
    dead: int = 0
    kills: int = 0
    dies_in: str = ""
    when: str = "after"
    seed: int = 20310831

    def to_json(self) -> str:
        """For the command line of this program."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it; pledge identifiers in hex.

    ``faults`` are sentences, and should be none; ``states`` are those of the last rollover's nodes,
    ``holders`` who sends with its keys and has no others; ``lost`` counts frames between those that
    it reached before the switch, ``rollovers`` how many there were.
    """

    faults: list[str]
    phase: str
    states: dict[str, str]
    holders: list[str]
    lost: int
    rollovers: int
    resumed: int

    @classmethod
    def of(cls, found: dict[str, Any]) -> "Report":
        """From what this program has printed."""
        return cls(**found)


class Experiment:
    """One site and its nodes; the daemon comes and goes."""

    def __init__(self, site: Site, crew: Crew, orders: Orders) -> None:
        self._site = site
        self._crew = crew
        self._orders = orders
        self._chance = Random(orders.seed)
        self._rollovers = 0
        self._resumed = 0
        self.faults: list[str] = []

    # One rollover

    def whole(self) -> None:
        """Sleepers and dead ones among the nodes, and one rollover from its start to its end."""
        with self._site.start() as daemon:
            self._crew.join(daemon.address)
            self._crew.lose(self._orders.loss)
            for node in self._last(0, self._orders.sleepy):
                self._crew.place(node).sleep = Sleep(every_s=6.0, awake_s=2.0)
            for node in self._last(self._orders.sleepy, self._orders.dead):
                self._crew.place(node).is_dead = True
            self._start()
            self._wait(lambda status: status["phase"] == "done")
            self._settle()

    def _last(self, skipped: int, count: int) -> list[SimulatedNode]:
        """So many at the far end: those near the 6LBR would keep the switch from the others."""
        end = len(self._crew.nodes) - skipped
        return self._crew.nodes[end - count : end]

    # Many, with kills

    def killed(self) -> None:
        """One rollover after the other, with SIGKILL at random moments; then the last one ends."""
        with self._site.start() as daemon:
            self._crew.join(daemon.address)
        self._crew.lose(self._orders.loss)
        for _ in range(self._orders.kills):
            if self.faults:
                return
            with self._site.start() as daemon:
                self._disturb(daemon)
                daemon.kill()
            self._look_at(self._status())
        with self._site.start():
            self._wait(lambda status: status["phase"] in ("done", "aborted"))
            self._start()
            self._wait(lambda status: status["phase"] == "done")
            self._settle()

    # One, with a kill in a transition

    def died(self) -> None:
        """The daemon dies in a transition, and the next one goes on."""
        phase = self._orders.dies_in
        with self._site.start() as daemon:
            self._crew.join(daemon.address)
        dead = self._crew.place(self._crew.nodes[-1])
        # With everybody there it would be past distributing before anybody could say a word.
        dead.is_dead = phase in ("paused", "aborted")
        with self._site.start(program(phase, self._orders.when)) as daemon:
            self._site.attempt("rollover", "start", "lab", "--yes")
            if dead.is_dead:
                word = "pause" if phase == "paused" else "abort"
                self._site.attempt("rollover", word, "lab", "--yes")
            daemon.wait_for_the_end()
        dead.is_dead = False
        self._look_at(self._status())
        with self._site.start():
            self._resumed = int(self._status()["phase"] not in (None, "aborted", "done"))
            if self._status()["phase"] == "paused":
                self._site.run("rollover", "resume", "lab", "--yes")
            if self._status()["phase"] in (None, "aborted"):
                self._start()
            self._wait(lambda status: status["phase"] == "done")
            self._settle()

    def _disturb(self, daemon: Daemon) -> None:
        """Something for the next process to go on with, and a while in which it may."""
        if self._status().get("phase") in (None, "done", "aborted"):
            self._start()
        else:
            self._resumed += 1
        time.sleep(self._chance.uniform(0, 3.0))
        what = self._chance.random()
        if what < 0.2:
            self._crew.join(daemon.address, self._chance.choice(self._crew.nodes[1:]).identifier)
        elif what < 0.3:
            # It may be too late for that, which is said.
            self._site.attempt("rollover", "abort", "lab", "--yes")

    # What is there

    def _start(self) -> None:
        share = "0.9" if self._orders.sleepy or self._orders.dead else "1"
        self._site.run("rollover", "start", "lab", "--yes", "--quorum", share)
        self._rollovers += 1

    def _status(self) -> dict[str, Any]:
        found = self._site.run("rollover", "status", "lab", "--json").stdout
        status: dict[str, Any] = json.loads(found)
        return status

    def _wait(self, is_so: Callable[[dict[str, Any]], bool]) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while not is_so(status := self._status()):
            if time.monotonic() > deadline_s:
                raise AssertionError(f"it does not end: {status['phase']} {status['counts']}")
            time.sleep(_LOOK_AGAIN_S)

    def _settle(self) -> None:
        """Every node switches and drops its former keys."""
        self._crew.settle(4 * GUARD_S)

    def _look_at(self, status: dict[str, Any]) -> None:
        """Whoever counts as reached has the keys, and no number came twice."""
        self.faults += self._crew.on_loop(self._crew.violations)
        if status["phase"] in (None, "aborted"):
            return
        wanted = set(status["key_ids"])
        for row in status["nodes"]:
            held = self._crew.by_name[bytes.fromhex(row["pledge_id"])].keys.held_ids()
            if row["state"] == "reached" and not wanted <= held:
                self.faults.append(f"{row['pledge_id']} is reached, and has {sorted(held)}")

    def report(self) -> Report:
        """What came of it."""
        status = self._status()
        self._look_at(status)
        states = {row["pledge_id"]: row["state"] for row in status["nodes"]}
        in_time = {
            bytes.fromhex(row["pledge_id"])
            for row in status["nodes"]
            if row["state"] == "reached"
            and (row["role"] == "6lbr" or row["reached"] <= status["switching"])
        }
        wanted = set(status["key_ids"])
        holders = [
            node.identifier.hex()
            for node in self._crew.nodes
            if node.keys.held_ids() == wanted
            and {key.key_id for key in node.keys.sending} == wanted
        ]
        lost = self._crew.on_loop(lambda: sum(self._crew.mesh.lost_between(in_time).values()))
        return Report(
            self.faults, status["phase"], states, holders, lost, self._rollovers, self._resumed
        )


def main(folder: Path, orders: Orders) -> None:
    """Set everything up, carry it out, print the report."""
    prepare()
    site = Site.make(folder, listen=JRC_LISTEN)
    with site.config.open("a") as config:
        config.write(_SECTION)
    site.add_lab()
    devices = site.new_devices(orders.nodes)
    site.import_devices(devices[:1], role="6lbr")
    site.import_devices(devices[1:])
    with Crew(devices, guard_time_s=GUARD_S, period_s=PERIOD_S, seed=orders.seed) as crew:
        experiment = Experiment(site, crew, orders)
        if orders.dies_in:
            experiment.died()
        elif orders.kills:
            experiment.killed()
        else:
            experiment.whole()
        print(json.dumps(asdict(experiment.report())))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Orders(**json.loads(sys.argv[2])))
