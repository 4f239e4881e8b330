"""Several imports at once, some of them killed, and the registrar with them: each is whole or gone.

``JRC_TEST_IMPORT_ROWS`` and ``JRC_TEST_IMPORT_ROUNDS`` make it longer.
"""

import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import forked
from tests.daemon.site import Daemon, Site
from tests.forked import Forked

IMPORTERS = 8
ROWS = int(os.environ.get("JRC_TEST_IMPORT_ROWS", "400"))
ROUNDS = int(os.environ.get("JRC_TEST_IMPORT_ROUNDS", "1"))
KILLED_WITHIN_S = 1.5
PATIENCE_S = 120.0

WHOLE = """
    SELECT count(DISTINCT pledge.id) FROM pledge
    JOIN credential ON credential.id = pledge.credential_id AND credential.state = 'current'
    JOIN context ON context.credential_id = credential.id AND context.pledge_id = pledge.id
    JOIN context_state ON context_state.context_id = context.id
    JOIN context_kid ON context_kid.context_id = context.id
        AND context_kid.kid_context = pledge.identifier
    JOIN pledge_network ON pledge_network.pledge_id = pledge.id
    JOIN key_fingerprint a ON a.fingerprint = credential.psk_fingerprint
    JOIN key_fingerprint b ON b.fingerprint = credential.sender_fingerprint
    JOIN key_fingerprint c ON c.fingerprint = credential.recipient_fingerprint
    WHERE credential.wrapped_secret IS NOT NULL
        AND a.credential_id = credential.id
        AND b.credential_id = credential.id
        AND c.credential_id = credential.id
"""
VISIBLE = """
    SELECT count(*) FROM pledge LEFT JOIN import_batch ON import_batch.id = pledge.import_id
    WHERE (import_batch.id IS NULL OR import_batch.state = 'published')
"""


PUBLISHED = "SELECT count(*) FROM import_batch WHERE state = 'published'"
IN_FORCE = """
    SELECT count(*) FROM pledge JOIN credential ON credential.id = pledge.credential_id
    JOIN context ON context.credential_id = credential.id
    JOIN context_kid ON context_kid.context_id = context.id
    WHERE credential.state = 'current' AND credential.wrapped_secret IS NOT NULL
"""
WIPED = "SELECT count(*) FROM credential WHERE state = 'superseded' AND wrapped_secret IS NULL"


class Batch(NamedTuple):
    """A file of ``ROWS`` pledges whose identifiers begin with ``prefix``."""

    path: Path
    prefix: bytes


def batches(folder: Path, made: random.Random, count: int) -> list[Batch]:
    """Files with keys of their own, but that the first two share one PSK."""
    shared = made.randbytes(16).hex()
    return [batch(folder, made, [shared] if number < 2 else []) for number in range(count)]


def batch(folder: Path, made: random.Random, psks: Sequence[str]) -> Batch:
    prefix = made.randbytes(4)
    path = folder / f"{prefix.hex()}.csv"
    path.touch(mode=0o600)
    keys = [*psks, *(made.randbytes(16).hex() for _ in range(ROWS - len(psks)))]
    lines = [f"{prefix.hex()}{number:08x},{key}\n" for number, key in enumerate(keys)]
    path.write_text("pledge_id,psk\n" + "".join(lines))
    return Batch(path, prefix)


def importer(site: Site, file: Batch) -> Forked:
    words = ("--config", str(site.config), "pledge", "import", str(file.path))
    return forked.piped(forked.JRC, *words)


def ended(process: Forked) -> int:
    assert process.stdout is not None
    with process.stdout as output:
        output.read()
    return process.wait(PATIENCE_S)


def storm(daemon: Daemon, files: Sequence[Batch], made: random.Random) -> list[int]:
    """Import all files at once, kill three importers and then the registrar; the exit codes.

    One is killed at once: the others may have ended before their moment has come.
    """
    processes = [importer(daemon.site, file) for file in files]
    first, *victims = made.sample(processes[2:], 3)
    first.kill()
    for victim in victims:
        try:
            victim.wait(made.uniform(0, KILLED_WITHIN_S / 3))
        except subprocess.TimeoutExpired:
            victim.kill()
    with suppress(subprocess.TimeoutExpired):
        processes[made.randrange(2, len(files))].wait(made.uniform(0, KILLED_WITHIN_S))
    daemon.kill()
    return [ended(process) for process in processes]


def count(site: Site, query: str, *values: object) -> int:
    with closing(sqlite3.connect(site.database)) as connection:
        found: int = connection.execute(query, values).fetchone()[0]
        return found


def check(site: Site, files: Sequence[Batch], codes: Sequence[int]) -> None:
    there = [
        count(site, f"{VISIBLE} AND substr(pledge.identifier, 1, 4) = ?", file.prefix)
        for file in files
    ]
    assert set(there) <= {0, ROWS}
    acknowledged = [number for number, code in zip(there, codes, strict=True) if code == 0]
    assert acknowledged == [ROWS] * len(acknowledged)
    assert sum(there[:2]) <= ROWS  # they share a key
    assert count(site, VISIBLE) == sum(there)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a06_importers_that_are_killed_leave_whole_pledges_or_none(
    site: Site, tmp_path: Path, seed: int
) -> None:
    """Rows A1, A6: each file is there or not, what was acknowledged is, and no key is twice."""
    made = random.Random(seed)
    files = batches(tmp_path, made, IMPORTERS)
    codes = storm(site.start(), files, made)
    assert -signal.SIGKILL in codes
    check(site, files, codes)
    with site.start() as daemon:
        codes += [ended(importer(site, last := batch(tmp_path, made, [])))]
        assert daemon.stop() == 0
    check(site, [*files, last], codes)
    credentials = count(site, "SELECT count(*) FROM credential")
    assert count(site, WHOLE) == count(site, "SELECT count(*) FROM pledge") == credentials
    assert count(site, "SELECT count(*) FROM key_fingerprint") == 3 * credentials


def test_a06_new_keys_that_were_decided_come_into_force_after_a_kill(
    site: Site, tmp_path: Path
) -> None:
    """Rows A1, A5: each pledge has its old key or its new one, and in the end all the new one."""
    made = random.Random(0)
    former = batch(tmp_path, made, [])
    keys = [made.randbytes(16).hex() for _ in range(ROWS)]
    rows = [f"{former.prefix.hex()}{number:08x},{key}\n" for number, key in enumerate(keys)]
    newer = tmp_path / "newer.csv"
    newer.write_text("pledge_id,psk\n" + "".join(rows))
    newer.chmod(0o600)
    daemon = site.start()
    assert 0 == ended(importer(site, former))
    words = ("pledge", "import", str(newer), "--on-conflict", "replace")
    process = forked.piped(forked.JRC, "--config", str(site.config), *words)
    until(lambda: count(site, PUBLISHED) == 2)
    daemon.kill()
    ended(process)
    left = count(site, "SELECT count(*) FROM staged_change")
    assert (count(site, IN_FORCE), count(site, WIPED)) == (ROWS, ROWS - left)
    with site.start() as daemon:
        until(lambda: not count(site, "SELECT count(*) FROM staged_change"))
        assert daemon.stop() == 0
    assert left > 0
    assert (count(site, IN_FORCE), count(site, WIPED)) == (ROWS, ROWS)
    assert count(site, "SELECT count(*) FROM event WHERE kind = 'pledge.replaced'") == ROWS


def until(is_so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
