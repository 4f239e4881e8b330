"""I/O errors under commands that change or copy the whole database: a sentence, and it goes again.

strace puts an error in place of one call on the registrar's files, for every such call that the
command makes where nothing fails; of a long stretch of one kind, which is a file that is written
page by page, its ends and some between. The short form takes one place of each command.
"""

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pytest
from pyrage import x25519

from jrc.errors import ExitCode
from tests import forked
from tests.at_home import at_home
from tests.daemon.site import Site
from tests.faults.form import IS_LONG, needs_strace

pytestmark = [pytest.mark.faults, needs_strace]

IDENTITY = x25519.Identity.generate()
ERRORS = ("EIO", "ENOSPC")
KINDS = ("fdatasync", "pwrite64", "fsync", "rename", "ftruncate", "unlink")
SHORT_PLACE = "fsync:error=EIO:when=2"
END = 4
STRIDE = 15
"""Of a stretch of one kind, each of the first and last calls fails, and each so-manyth between. The
log of SQLite has two writes a page, of which an even stride would see one."""
PATIENCE_S = 120
NAMES = (
    "", "jrc.db", "jrc.db-wal", "jrc.db.restoring", "jrc.db.restoring-wal", "jrc.instance",
    "jrc.instance.new", "jrc.instance.trial", "jrc.instance.restored", "new.backup",
    ".new.backup.part", "old.backup",
)  # fmt: skip


class Ordered(NamedTuple):
    """A command, and what comes before it once."""

    words: tuple[str, ...]
    before: tuple[tuple[str, ...], ...] = ()


ORDERED = {
    "create": Ordered(
        ("backup", "create", "new.backup", "--recipient", str(IDENTITY.to_public()))
    ),
    "restore": Ordered(
        ("backup", "restore", "old.backup", "--identity-file", "id", "--replace", "--yes"),
        (("backup", "create", "old.backup", "--recipient", str(IDENTITY.to_public())),),
    ),
    "final": Ordered(
        ("backup", "restore", "old.backup", "--identity-file", "id", "--replace", "--yes"),
        (("backup", "create", "old.backup", "--recipient", str(IDENTITY.to_public()), "--final",
          "--yes"),),
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


def traced(site: Site, words: Sequence[str], *chosen: str) -> tuple[int, str, list[str]]:
    """Exit code, what was said, and the calls on files of the registrar that strace has seen."""
    at = [word for name in NAMES for word in ("-P", str(site.folder / name))]
    trace = site.folder / "trace"
    process = forked.piped(
        "tests.faults.followed", "--config", str(site.config), *in_folder(site, words),
        environ={**os.environ, "TERM": "dumb"},
    )  # fmt: skip
    command = ("strace", "-f", "-qq", *at, "-o", str(trace), *chosen, "-p", str(process.pid))
    try:
        subprocess.run(command, capture_output=True, timeout=PATIENCE_S, check=False)
        code = process.wait(PATIENCE_S)
    finally:
        process.kill()
    assert process.stdout is not None
    with process.stdout as output:
        return code, output.read(), trace.read_text().splitlines()


def places(site: Site, ordered: Ordered) -> list[str]:
    """What strace is to inject, one after the other."""
    if not IS_LONG:
        return [SHORT_PLACE]
    code, said, lines = traced(site, ordered.words, "-e", f"trace={','.join(KINDS)}")
    assert code == 0, said
    called = [line.split()[1].split("(")[0] for line in lines if "resumed>" not in line]
    return [
        f"{kind}:error={error}:when={number}" for kind, number in picked(called) for error in ERRORS
    ]


def picked(called: Sequence[str]) -> list[tuple[str, int]]:
    """Calls to fail, each as its kind and its number among those of its kind."""
    found: list[tuple[str, int]] = []
    before: Counter[str] = Counter()
    for kind, stretch in groupby(called):
        length = len(list(stretch))
        found += [
            (kind, before[kind] + 1 + place)
            for place in range(length)
            if place < END or place >= length - END or place % STRIDE == 0
        ]
        before[kind] += length
    return found


def test_of_a_long_stretch_the_ends_are_picked_and_some_between() -> None:
    """Of 20 writes after one sync and two writes: 4, 4, and the 16th."""
    called = ["pwrite64", "pwrite64", "fsync", *["pwrite64"] * 20]
    written = [1, 2, *range(3, 7), 18, *range(19, 23)]
    found = picked(called)
    assert [("fsync", 1)] == [one for one in found if one[0] == "fsync"]
    assert written == [number for kind, number in found if kind == "pwrite64"]


@pytest.mark.parametrize("name", ORDERED)
def test_f04_a_command_that_fails_says_why_and_can_be_given_again(
    registrar: Site, tmp_path: Path, name: str
) -> None:
    """Whatever call fails: exit code 1 and a sentence, or all is well; then it works."""
    ordered, prepared = ORDERED[name], copied(registrar, tmp_path / "prepared")
    for words in ordered.before:
        prepared.run(*in_folder(prepared, words))
    failed, injections = 0, places(copied(prepared, tmp_path / "counted"), ordered)
    for injection in injections:
        site = copied(prepared, tmp_path / "site")
        failed += one(site, ordered, injection)
        shutil.rmtree(site.folder)
    print(f"{name}: {len(injections)} places of an I/O error, {failed} ended the command")
    assert failed > 0


def one(site: Site, ordered: Ordered, injection: str) -> bool:
    """Whether the command failed by a call that was made to fail."""
    where = (site.folder, injection)
    kind = injection.split(":")[0]
    code, said, lines = traced(
        site, ordered.words, "-e", f"trace={kind}", "-e", f"inject={injection}"
    )
    assert any("(INJECTED)" in line for line in lines), (where, lines[-3:])
    assert "Traceback" not in said, (where, said)
    assert code in (0, ExitCode.FAILED), (where, code, said)
    if code == 0:
        return False
    assert said.strip(), where
    again = site.attempt(*in_folder(site, (*ordered.words, *forced(ordered))))
    if again.returncode != 0 and "exists; nothing was changed" in again.stderr:
        again = site.attempt(*in_folder(site, ordered.words))
    # The last call of a recovery is after its end: there is nothing left to recover.
    is_over = ordered.words[0] == "recover" and "nothing to recover" in again.stderr
    assert again.returncode == 0 or is_over, (where, said, again.stderr)
    if ordered.words[0] != "backup":
        assert '"condition": "open"' in site.attempt("status", "--json").stdout, where
    return True


def forced(ordered: Ordered) -> tuple[str, ...]:
    """What lets a backup take the place of one that was written whole, and its end failed."""
    return ("--force",) if ordered.words[:2] == ("backup", "create") else ()
