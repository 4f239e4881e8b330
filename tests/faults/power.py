"""Run inside a network namespace of its own: power cuts in a join storm, by the thousand.

``python -m tests.faults.power FOLDER ORDERS`` prints what came of it as JSON; ``ORDERS`` is JSON
itself (``Orders``). One storm is recorded with strace; then the disk is built anew as it may have
been at each of many moments of it (``disk.py``), and the program's own code is asked what it finds
there (``crashes.py``). Some of them are given to a real daemon as well, and to the witness.
"""

import json
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tests.daemon.crew import prepare
from tests.daemon.site import Site
from tests.daemon.wire import Wire
from tests.faults import crashes, trace
from tests.faults.broken import program
from tests.faults.commands import Commands, Done
from tests.faults.crashes import Follower, Said, Tally
from tests.faults.disk import Disk
from tests.faults.killing import PLEDGES, make_site
from tests.faults.nodes import Nodes
from tests.faults.peers import Peers
from tests.faults.replayed import CALLS, Left, replay
from tests.faults.storm import Storm
from tests.unshared import run_inside

QUIET_S: Final = 0.4
"""After the last answer of a daemon that was started on what a power cut has left."""


@dataclass(frozen=True, slots=True)
class Orders:
    """``states`` of a storm of ``seconds``, of which every ``started``-th is given to a daemon.

    The daemon that is recorded may have a ``fault`` of ``broken.py``; ``checkpoints_often`` is
    none, but makes the log go back into the database many times in a short storm.
    """

    states: int
    started: int = 20
    seconds: float = 3.0
    seed: int = 20310831
    fault: str = "checkpoints_often"

    def carry_out(self, folder: Path) -> "Report":
        """What comes of it."""
        arguments = (str(folder / "site"), json.dumps(asdict(self)))
        patience_s = 120.0 + self.states
        return Report(**run_inside("tests.faults.power", *arguments, patience_s=patience_s))


@dataclass(frozen=True, slots=True)
class Report:
    """``faulty`` of the ``states`` had lost or forgotten something; ``examples`` say what.

    ``answers``, ``updates`` and ``acknowledged`` commands had left by the end of the storm.
    """

    states: int
    faulty: int
    started: int
    examples: list[str]
    answers: int
    updates: int
    acknowledged: int
    calls: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Recording:
    """A storm: the files before it, the trace, and what others have heard and done."""

    site: Site
    before: dict[str, bytes]
    trace: Path
    storm: Storm
    first: set[bytes]
    commands: list[Done]
    updates: int


def record(folder: Path, orders: Orders) -> Recording:
    """One daemon from its start to its end, with pledges, nodes and an operator."""
    site = make_site(folder)
    devices = site.new_devices(PLEDGES)
    site.import_devices(devices[:1], role="6lbr")
    site.import_devices(devices[1:])
    storm = Storm(devices, orders.seed, 5.0)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    output = folder.parent / "trace"
    commands = Commands([site], storm.peers, storm.witness, orders.seed)
    first = {device.identifier for device in devices}
    with Nodes(storm.peers, storm.witness, orders.seed, loss=0.0) as nodes:
        with site.start(program(orders.fault), before=trace.tool(output, CALLS)) as daemon:
            with commands:
                storm.blow([daemon], orders.seconds)
            daemon.stop()
        storm.listen()
        updates = nodes.heard
    return Recording(site, before, output, storm, first, commands.acknowledged, updates)


def examine(recorded: Recording, orders: Orders) -> Tally:
    """Power cuts at random moments of the recording."""
    chance = random.Random(orders.seed)
    with recorded.trace.open() as lines:
        moments = crashes.moments(sum(1 for _ in lines), orders.states, chance)
    folder = recorded.site.folder
    other = recorded.site.copy(folder.with_name("after"))
    settings = crashes.settings_of(other.folder)
    storm = recorded.storm
    follower = Follower(storm.peers, storm.witness, recorded.commands, recorded.first)
    tally = Tally()
    for disk in _until(moments, recorded, follower):
        files = disk.after_power_cut(chance)
        crashes.put(files, other.folder)
        faults = crashes.look(settings, follower.said, follower.short_ids)
        if not faults and tally.states % orders.started == 0:
            crashes.put(files, other.folder)
            faults = _start(other, follower.said, recorded.storm, chance)
            tally.started += 1
        tally.count(faults)
    return tally


def _until(moments: list[int], recorded: Recording, follower: Follower) -> Iterator[Disk]:
    """The disk at each of these lines of the trace; ``follower`` knows what had left by then."""
    disk, at, waiting = Disk.of(recorded.before), 0, iter([*moments, 1 << 60])

    def counted() -> Iterator[str]:
        nonlocal at
        with recorded.trace.open() as lines:
            for line in lines:
                at += 1
                yield line

    moment = next(waiting)
    for left in replay(counted(), recorded.site.folder, disk):
        if isinstance(left, Left):
            follower.follow(left)
        while moment <= at:
            yield disk
            moment = next(waiting)
    while moment < 1 << 60:
        yield disk
        moment = next(waiting)


def _start(site: Site, said: Said, storm: Storm, chance: random.Random) -> list[str]:
    """A real daemon; every pledge asks again, with all that it had sent before."""
    witness = crashes.witness_of(said, storm.witness)
    peers = Peers.again(storm.peers, witness, chance)
    with site.start() as daemon, Wire(daemon.address) as wire:
        wire.socket.settimeout(QUIET_S)
        for peer in peers:
            for number in sorted(said.answered.get(peer.identifier, ()), reverse=True)[:4]:
                wire.send(peers.dressed(peer, number))
        try:
            while True:
                peers.hear(wire.hear().payload)
        except TimeoutError:
            pass
        daemon.kill()
    return witness.violations


def main(folder: Path, orders: Orders) -> None:
    """Record, examine, print the report."""
    prepare()
    began_s = time.monotonic()
    recorded = record(folder, orders)
    print(f"recorded after {time.monotonic() - began_s:.1f} s", file=sys.stderr, flush=True)
    tally = examine(recorded, orders)
    with recorded.trace.open() as lines:
        calls = sum(1 for _ in lines)
    report = Report(
        states=tally.states,
        faulty=tally.faulty,
        started=tally.started,
        examples=tally.examples,
        answers=recorded.storm.answered,
        updates=recorded.updates,
        acknowledged=len(recorded.commands),
        calls=calls,
        seconds=round(time.monotonic() - began_s, 1),
    )
    print(json.dumps(asdict(report)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Orders(**json.loads(sys.argv[2])))
