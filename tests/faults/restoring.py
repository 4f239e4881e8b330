"""Run inside a network namespace of its own: backups of a storm, each restored and recovered.

``python -m tests.faults.restoring FOLDER ORDERS`` prints what came of it as JSON; ``ORDERS`` is
JSON itself (``Orders``). Backups are made by `jrc backup create` while pledges join, rollovers run
and an operator works. Then each of them is restored, `jrc recover` follows, all pledges come back
by RFC 8613 App. B.2, and nodes hear updates: with a witness that knows both lives.
"""

import json
import sqlite3
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import pyrage

from tests.daemon.crew import prepare
from tests.daemon.site import Daemon, Site
from tests.faults.commands import Commands
from tests.faults.eavesdropping import Eavesdropper
from tests.faults.killing import make_site
from tests.faults.nodes import Nodes
from tests.faults.peers import Peers
from tests.faults.returning import Returners
from tests.faults.storm import Storm
from tests.unshared import run_inside

PLEDGES: Final = 24
STORM_S: Final = 0.4
MOST: Final = 40
"""Answers, and then a rest as long."""
REST_S: Final = 1.0
"""Between two commands of the operator."""
PATIENCE_S: Final = 30.0
LOOK_AGAIN_S: Final = 0.1
A_RESTORE_S: Final = 40.0
"""Of patience for each."""
REASON: Final = ("--reason", "storm")
_PLEDGES: Final = """\
SELECT identifier FROM pledge LEFT JOIN import_batch ON import_batch.id = import_id
WHERE import_batch.state IS NULL OR import_batch.state = 'published'
"""


@dataclass(frozen=True, slots=True)
class Orders:
    """So many ``restores``, each of a backup of its own."""

    restores: int
    seed: int = 20310831

    def carry_out(self, folder: Path) -> "Report":
        """What comes of it."""
        arguments = (str(folder / "site"), json.dumps(asdict(self)))
        patience_s = 120.0 + self.restores * A_RESTORE_S
        return Report(**run_inside("tests.faults.restoring", *arguments, patience_s=patience_s))


@dataclass(slots=True)
class Report:
    """What came of it; ``violations`` are sentences, and should be none.

    ``returned`` pledges came back by App. B.2 and ``updates`` were heard, over all restores;
    ``missing`` pledges did not come back, ``early`` answers left before `jrc recover`.
    """

    restores: int = 0
    returned: int = 0
    missing: int = 0
    early: int = 0
    challenged: int = 0
    updates: int = 0
    answers: int = 0
    imported: int = 0
    revoked: int = 0
    seconds: float = 0.0
    violations: list[str] | None = None


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup, and who had been imported and revoked when it was begun."""

    file: Path
    imported: frozenset[bytes]
    revoked: frozenset[bytes]


def back_up(site: Site, recipient: str, storm: Storm, file: Path) -> Backup:
    """`jrc backup create`, beside the joins."""
    made = Backup(file, frozenset(storm.witness.imported), frozenset(storm.witness.revoked))
    site.run("backup", "create", str(file), "--recipient", recipient)
    return made


def storm_with_backups(site: Site, recipient: str, orders: Orders) -> tuple[Storm, list[Backup]]:
    """A storm in which one backup after the other is made, and which goes on after the last."""
    devices = site.new_devices(PLEDGES)
    site.import_devices(devices[:1], role="6lbr")
    site.import_devices(devices[1:])
    storm, taken = Storm(devices, orders.seed, PATIENCE_S), []
    with (
        site.start() as daemon,
        Nodes(storm.peers, storm.witness, orders.seed),
        ThreadPoolExecutor(1) as pool,
    ):
        for number in range(orders.restores):
            with Commands([site], storm.peers, storm.witness, number, REST_S):
                file = site.folder.with_name(f"{number}.backup")
                made = pool.submit(back_up, site, recipient, storm, file)
                _blow_until(storm, daemon, made)
                taken.append(made.result())
        with Commands([site], storm.peers, storm.witness, orders.restores, REST_S):
            storm.blow([daemon], STORM_S)
            storm.listen()
        daemon.kill()
    return storm, taken


def _blow_until(storm: Storm, daemon: Daemon, made: Future[Backup]) -> None:
    """Joins all the while, but not as many as there can be: each makes the next backup larger."""
    while not made.done():
        storm.blow([daemon], STORM_S, most=MOST)
        storm.listen()
        wait([made], timeout=STORM_S)


class SecondLife:
    """A backup that was restored: its daemon, its pledges, and the witness of both lives."""

    def __init__(self, site: Site, backup: Backup, storm: Storm) -> None:
        self._site = site
        self._storm = storm
        self._known = _identifiers(site)
        self.eavesdropper = Eavesdropper(storm)
        self.witness = self.eavesdropper.witness
        self.witness.imported = set(backup.imported)
        self.witness.held = {}  # `jrc recover` gives out others
        revoked = storm.witness.revoked
        self.witness.revoked = {name: revoked[name] for name in revoked if name in self._known}
        if missing := backup.imported - self._known:
            self.witness.violated(f"{len(missing)} imports are not in {backup.file.name}")

    def recover(self) -> None:
        """`jrc recover`, with the revocations that the backup may not have yet."""
        revoked = "".join(f"{each.hex()}\n" for each in self.witness.revoked)
        given = ("--revocations", "-") if revoked else ()
        self._site.run("recover", "--confirm-revocations", *given, "--yes", *REASON, given=revoked)

    def go_on(self, daemon: Daemon, report: Report) -> None:
        """Everybody comes back, and is told something; before and after it, old requests come."""
        self.eavesdropper.listen(daemon)
        peers = [
            peer for peer in self._storm.peers if peer.identifier in self._known and not peer.gone
        ]
        returners = Returners(peers, self.witness)
        again = Peers.again(self._storm.peers, self.witness, self._storm.chance)
        with Nodes(again, self.witness, report.restores, loss=0.0) as nodes:
            returners.come_back(daemon, patience_s=PATIENCE_S)
            nodes.use(returners.contexts())
            _tell(daemon, nodes, len(peers))
            report.updates += nodes.heard
        report.returned += len(peers) - returners.missing
        report.missing += returners.missing
        self.eavesdropper.listen(daemon)
        report.challenged += self.eavesdropper.challenged
        self._compare(daemon)

    def _compare(self, daemon: Daemon) -> None:
        answered = {each for each in self.witness.answers if each[0] in self._known}
        if late := answered - self._storm.witness.answers.keys():
            self.witness.violated(f"{len(late)} requests of the first life were answered late")
        self._storm.compare(daemon, self.witness)
        self._storm.verify(daemon, anew=True)


def _tell(daemon: Daemon, nodes: Nodes, most: int) -> None:
    """Other settings and new keys; wait until each node may have heard of something."""
    rate = {"join_rate_bytes_per_s": 4711, "reason": "storm"}
    daemon.api("PATCH", "/v1/networks/lab", json=rate)
    ends_s = time.monotonic() + PATIENCE_S
    while nodes.heard < most and time.monotonic() < ends_s:
        time.sleep(LOOK_AGAIN_S)


def _identifiers(site: Site) -> set[bytes]:
    """The pledges that a database has; not those of an import that was not yet published."""
    with closing(sqlite3.connect(site.database)) as database:
        return {row[0] for row in database.execute(_PLEDGES)}


def carry_out(folder: Path, orders: Orders) -> Report:
    """The storm, and then a second life from each of its backups."""
    identity = pyrage.x25519.Identity.generate()
    key_file = folder.with_name("identity")
    key_file.write_text(f"{identity}\n")
    key_file.chmod(0o600)
    site = make_site(folder)
    storm, taken = storm_with_backups(site, str(identity.to_public()), orders)
    witness = storm.witness
    report = Report(
        answers=storm.answered,
        imported=len(witness.imported),
        revoked=len(witness.revoked),
        violations=list(witness.violations),
    )
    for backup in taken:
        other = site.copy(folder.with_name(f"restored-{report.restores}"))
        _live_again(other, backup, key_file, storm, report)
        report.restores += 1
        print(report, file=sys.stderr, flush=True)
    return report


def _live_again(site: Site, backup: Backup, key: Path, storm: Storm, report: Report) -> None:
    given = ("--identity-file", str(key), "--replace", "--yes")
    site.run("backup", "restore", str(backup.file), *given)
    life = SecondLife(site, backup, storm)
    assert report.violations is not None
    with site.start() as daemon:
        report.early += life.eavesdropper.listen(daemon)
        if not daemon.dropped().get("quarantined"):
            life.witness.violated("nothing was dropped for the quarantine")
        life.recover()
        life.go_on(daemon, report)
        daemon.kill()
    report.violations += [f"{backup.file.name}: {each}" for each in life.witness.violations]


def main(folder: Path, orders: Orders) -> None:
    """Set everything up, carry it out, print the report."""
    prepare()
    began_s = time.monotonic()
    report = carry_out(folder, orders)
    report.seconds = round(time.monotonic() - began_s, 1)
    print(json.dumps(asdict(report)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Orders(**json.loads(sys.argv[2])))
