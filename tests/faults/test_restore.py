"""Old states of the database, put back: nobody is answered, and no nonce comes twice afterwards.

``JRC_RESTORES`` sets the number of backups that are taken in a storm, and restored afterwards.
"""

import copy
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from jrc.errors import PeerError
from tests.daemon.site import Daemon, Site
from tests.daemon.wire import Wire
from tests.faults.broken import program
from tests.faults.commands import Commands
from tests.faults.form import SEED, figure
from tests.faults.peers import Peers
from tests.faults.storm import Storm

pytestmark = pytest.mark.faults

RESTORES = figure("JRC_RESTORES", short=2, long=50)
COPIES = figure("JRC_COPIES", short=3, long=50)
PLEDGES = 24
STORM_S = 0.4
QUIET_S = 0.5
OLDER = 4
"""Of each pledge's answered requests, said again."""


def copy_database(site: Site, to: Path) -> None:
    """What somebody takes who copies the file while it is in use, as SQLite does it."""
    with (
        closing(sqlite3.connect(site.database)) as source,
        closing(sqlite3.connect(to)) as target,
    ):
        source.backup(target)


def put_copy_back(site: Site, old: Path) -> None:
    """The database file of another day, with no log beside it."""
    for name in ("jrc.db", "jrc.db-wal", "jrc.db-shm"):
        (site.folder / name).unlink(missing_ok=True)
    site.database.write_bytes(old.read_bytes())
    site.database.chmod(0o600)


def back_up(site: Site, to: Path) -> None:
    """`jrc backup create`, beside the joins."""
    site.run("backup", "create", str(to), *_passphrase(site))


def restore(site: Site, old: Path) -> None:
    """`jrc backup restore`."""
    site.run("backup", "restore", str(old), *_passphrase(site), "--replace", "--yes")


def recover(site: Site, storm: Storm) -> None:
    """`jrc recover`, with the revocations that the backup may not have yet."""
    with closing(sqlite3.connect(site.database)) as database:
        known = {row[0] for row in database.execute("SELECT identifier FROM pledge")}
    revoked = "".join(f"{each.hex()}\n" for each in storm.witness.revoked if each in known)
    given = ("--revocations", "-") if revoked else ()
    site.run("recover", "--confirm-revocations", *given, "--yes", given=revoked)


def _passphrase(site: Site) -> tuple[str, str]:
    file = site.folder / "passphrase"
    if not file.exists():
        file.write_text("a passphrase of a storm, long enough\n")
        file.chmod(0o600)
    return "--passphrase-file", str(file)


def storm_with_backups(
    site: Site, folder: Path, count: int, take: Callable[[Site, Path], None]
) -> tuple[Storm, list[Path]]:
    """A storm in which a backup is taken now and then, and goes on after the last one."""
    devices = site.new_devices(PLEDGES)
    site.import_devices(devices[:1], role="6lbr")
    site.import_devices(devices[1:])
    storm, taken = Storm(devices, SEED, 5.0), []
    with site.start() as daemon:
        for number in range(count + 1):
            with Commands([site], storm.peers, storm.witness, number):
                storm.blow([daemon], STORM_S)
                if number < count:
                    taken.append(folder / f"{number}.backup")
                    take(site, taken[-1])
            storm.listen()
    assert storm.witness.violations == []
    return storm, taken


class Eavesdropper:
    """Says again what pledges have said, and holds what comes against what was answered before."""

    def __init__(self, storm: Storm) -> None:
        self.witness = copy.deepcopy(storm.witness)
        self.challenged = 0
        """Answers under other keys than the pledges had: those of RFC 8613 App. B.2."""
        self._peers = Peers.again(storm.peers, self.witness, storm.chance)
        self._own = storm.witness

    def listen(self, daemon: Daemon) -> int:
        """Old requests and a new one of everybody; how many answers came."""
        with Wire(daemon.address) as wire:
            wire.socket.settimeout(QUIET_S)
            wire.send(*self._requests())
            heard = 0
            for datagram in _until_quiet(wire):
                heard += 1
                try:
                    self._peers.hear(datagram)
                except PeerError:
                    self.challenged += 1
        return heard

    def _requests(self) -> Iterator[bytes]:
        for peer in self._peers:
            answered = self._own.answers
            numbers = [n for n in range(len(peer.requests)) if (peer.identifier, n) in answered]
            for number in (*numbers[-OLDER:], peer.next_request()):
                yield self._peers.dressed(peer, number)


def _until_quiet(wire: Wire) -> Iterator[bytes]:
    while True:
        try:
            yield wire.hear().payload
        except TimeoutError:
            return


def test_e08_an_old_copy_that_is_put_back_answers_nobody(site: Site, tmp_path: Path) -> None:
    """RFC 9031 §8.3.3: whichever moment of the storm it is from."""
    storm, taken = storm_with_backups(site, tmp_path, COPIES, copy_database)
    for number, old in enumerate(taken):
        other = site.copy(tmp_path / f"put-back-{number}")
        put_copy_back(other, old)
        with other.start() as daemon:
            assert Eavesdropper(storm).listen(daemon) == 0, old.name
            daemon.kill()


def test_e08_b07_a_restored_backup_repeats_no_nonce_after_its_recovery(
    site: Site, tmp_path: Path
) -> None:
    """RFC 9031 §8.3.3, RFC 8613 App. B.2: silence until `jrc recover`, and other keys then."""
    storm, taken = storm_with_backups(site, tmp_path, RESTORES, back_up)
    challenged = 0
    for number, old in enumerate(taken):
        other = site.copy(tmp_path / f"restored-{number}")
        restore(other, old)
        with other.start() as daemon:
            eavesdropper = Eavesdropper(storm)
            assert eavesdropper.listen(daemon) == 0, old.name
            recover(other, storm)
            eavesdropper.listen(daemon)
            assert eavesdropper.witness.violations == [], old.name
            assert eavesdropper.witness.answers.keys() == storm.witness.answers.keys()
            challenged += eavesdropper.challenged
            daemon.kill()
    print(f"{RESTORES} restores, {challenged} pledges were asked to begin anew")
    assert challenged > 0


def test_the_witness_sees_a_daemon_that_takes_any_database(site: Site, tmp_path: Path) -> None:
    """A check that can't fail says nothing."""
    storm, (old,) = storm_with_backups(site, tmp_path, 1, copy_database)
    put_copy_back(site, old)
    with site.start(program("restore_unnoticed")) as daemon:
        rate = {"join_rate_bytes_per_s": 4711, "reason": "test"}
        daemon.api("PATCH", "/v1/networks/lab", json=rate)
        eavesdropper = Eavesdropper(storm)
        eavesdropper.listen(daemon)
        daemon.kill()
    assert any("two ciphertexts" in text for text in eavesdropper.witness.violations)
