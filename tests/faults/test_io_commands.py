"""I/O errors under commands that change or copy the whole database: a sentence, and it goes again.

strace puts an error in place of the n-th call of a kind on the registrar's files, for every n until
the command makes fewer such calls. The short form takes one place of each command.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest
from pyrage import x25519

from jrc.errors import ExitCode
from tests.at_home import at_home
from tests.daemon.site import Site
from tests.faults.form import IS_LONG, needs_strace

pytestmark = [pytest.mark.faults, needs_strace]

IDENTITY = x25519.Identity.generate()
ERRORS = ("EIO", "ENOSPC")
KINDS = ("fdatasync", "pwrite64", "fsync", "rename", "ftruncate", "unlink")
SHORT_PLACE = 2
FARTHEST = 200
"""Places of a kind that a command may have; it is a fault of this test to reach it."""
PATIENCE_S = 120
NAMES = (
    "", "jrc.db", "jrc.db-wal", "jrc.db.restoring", "jrc.db.restoring-wal", "jrc.instance",
    "jrc.instance.new", "jrc.instance.trial", "jrc.instance.restored", "new.backup",
    ".new.backup.part", "old.backup",
)  # fmt: skip


class Ordered(NamedTuple):
    """A command, what comes before it once, and a kind of call that it makes."""

    words: tuple[str, ...]
    before: tuple[tuple[str, ...], ...] = ()
    kind: str = "fdatasync"


ORDERED = {
    "create": Ordered(
        ("backup", "create", "new.backup", "--recipient", str(IDENTITY.to_public())), kind="fsync"
    ),
    "restore": Ordered(
        ("backup", "restore", "old.backup", "--identity-file", "id", "--replace", "--yes"),
        (("backup", "create", "old.backup", "--recipient", str(IDENTITY.to_public())),),
    ),
    "final": Ordered(
        ("backup", "restore", "old.backup", "--identity-file", "id", "--replace", "--yes"),
        (("backup", "create", "old.backup", "--recipient", str(IDENTITY.to_public()), "--final",
          "--yes"),),
        kind="fsync",
    ),
    "recover": Ordered(
        ("recover", "--confirm-revocations", "--yes"), (("quarantine", "--yes"),)
    ),
    "rotate": Ordered(("keys", "rotate", "--yes")),
}  # fmt: skip


@pytest.fixture(scope="module")
def registrar(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A registrar with three pledges, and an identity file."""
    made = Site.make(tmp_path_factory.mktemp("io") / "made")
    made.add_lab()
    made.import_devices(made.new_devices(3))
    (made.folder / "id").write_text(f"{IDENTITY}\n")
    (made.folder / "id").chmod(0o600)
    return made


def copied(site: Site, folder: Path) -> Site:
    """The same registrar elsewhere."""
    shutil.copytree(site.folder, folder)
    at_home(folder)
    return Site(folder, site.metrics_port)


def in_folder(site: Site, words: Sequence[str]) -> tuple[str, ...]:
    """Words with files of the site's folder by their whole names."""
    files = {"new.backup", "old.backup", "id"}
    return tuple(str(site.folder / word) if word in files else word for word in words)


def failing(site: Site, words: Sequence[str], injection: str) -> tuple[int, str, bool]:
    """Exit code, what was said, and whether a call was made to fail."""
    chosen = [word for name in NAMES for word in ("-P", str(site.folder / name))]
    kind, trace = injection.split(":")[0], site.folder / "trace"
    command = (
        "strace", "-f", "-qq", *chosen, "-o", str(trace), "-e", f"trace={kind}",
        "-e", f"inject={injection}", sys.executable, "-m", "jrc.cli.main",
        "--config", str(site.config), *in_folder(site, words),
    )  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        stdin=subprocess.DEVNULL, env={**os.environ, "TERM": "dumb"},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr, "(INJECTED)" in trace.read_text()


def places(ordered: Ordered) -> Iterator[tuple[str, Iterator[int]]]:
    """Errors of a kind of call, and which of these calls fails, in turn."""
    if not IS_LONG:
        yield f"{ordered.kind}:error=EIO", iter((SHORT_PLACE,))
        return
    for kind in KINDS:
        for error in ERRORS:
            yield f"{kind}:error={error}", count(1)


@pytest.mark.parametrize("name", ORDERED)
def test_f04_a_command_that_fails_says_why_and_can_be_given_again(
    registrar: Site, tmp_path: Path, name: str
) -> None:
    """Whatever call fails: exit code 1 and a sentence, or all is well; then it works."""
    ordered, prepared = ORDERED[name], copied(registrar, tmp_path / "prepared")
    for words in ordered.before:
        prepared.run(*in_folder(prepared, words))
    ran = failed = 0
    for error, numbers in places(ordered):
        for number in numbers:
            assert number < FARTHEST
            site = copied(prepared, tmp_path / "site")
            was_hit, has_failed = one(site, ordered, f"{error}:when={number}")
            shutil.rmtree(site.folder)
            ran, failed = ran + was_hit, failed + has_failed
            if not was_hit:
                break
    print(f"{name}: {ran} places of an I/O error, {failed} ended the command")
    assert ran > 0


def one(site: Site, ordered: Ordered, injection: str) -> tuple[bool, bool]:
    """Whether a call was made to fail, and the command failed by it."""
    where = (site.folder, injection)
    code, said, was_hit = failing(site, ordered.words, injection)
    assert "Traceback" not in said, (where, said)
    assert code in (0, ExitCode.FAILED), (where, code, said)
    if code == 0:
        return was_hit, False
    assert was_hit, (where, said)
    assert said.strip(), where
    again = site.attempt(*in_folder(site, (*ordered.words, *forced(ordered))))
    if again.returncode != 0 and "exists; nothing was changed" in again.stderr:
        again = site.attempt(*in_folder(site, ordered.words))
    # The last call of a recovery is after its end: there is nothing left to recover.
    is_over = ordered.words[0] == "recover" and "nothing to recover" in again.stderr
    assert again.returncode == 0 or is_over, (where, said, again.stderr)
    if ordered.words[0] != "backup":
        assert '"condition": "open"' in site.attempt("status", "--json").stdout, where
    return was_hit, True


def forced(ordered: Ordered) -> tuple[str, ...]:
    """What lets a backup take the place of one that was written whole, and its end failed."""
    return ("--force",) if ordered.words[:2] == ("backup", "create") else ()
