"""A registrar moves to another host, to another disk, and back to a backup: as documents say."""

import json
import shutil

import pytest

from tests.documents.blocks import below
from tests.systemd.conftest import ADDED, IDENTIFIERS, PASSPHRASE, PLEDGES, RELEASE, YES, Router

pytestmark = pytest.mark.systemd

STATE = "/var/lib/private/jrc"
BACKUP, KEY = f"{RELEASE}/move.backup", "/run/jrc-kek"


def follow(router: Router, commands: list[str], answers: dict[str, tuple[str, ...]]) -> None:
    """Paste commands in their order; ``answers`` to what those ask that begin so."""
    for text in commands:
        typed = next((said for begin, said in answers.items() if text.startswith(begin)), ())
        router.type(text, typed)


def test_a_registrar_moves_to_another_host(router: Router, successor: Router) -> None:
    """Its last backup and its key go along; pledges join there, and the doctor finds no fault."""
    assert 40 == router.join()["joined"]
    router.paste("## To another host", 1)
    for name in (BACKUP, PLEDGES):
        shutil.copy(router.inside(name), successor.inside(name))
    carried = router.inside(KEY)
    assert carried.stat().st_mode & 0o077 == 0
    shutil.copy2(carried, successor.inside(KEY))
    successor.paste("## To another host", 2)
    assert not successor.inside(KEY).exists()
    status = successor.status()
    assert (True, "open") == (status["ready"], status["condition"])
    assert {"joined": 40, "repeated": 0, "refused": 0, "lost": 0} == successor.join()
    for unit in ("jrc.service", "jrc.socket"):
        assert "enabled" == successor.run("systemctl", "is-enabled", unit).strip()
    # A throw-away registrar has 20 s for a join, which no test should hang on; 40 have joined.
    found = json.loads(successor.attempt("jrc", "doctor", "--no-join", "--json").stdout)
    assert [] == [each for each in found["checks"] if each["status"] == "failure"]


def test_the_old_host_answers_nobody_any_more(router: Router, successor: Router) -> None:
    """Nor does its daemon start, by whatever command."""
    del successor
    assert router.attempt("systemctl", "enable", "--now", "jrc").returncode != 0
    assert "moved" in router.journal("--unit=jrc.service", "--since=-60s")
    router.run("systemctl", "stop", "jrc.socket", "jrc.service")
    assert 40 == router.join()["lost"]


def test_a_registrar_moves_to_another_disk(successor: Router) -> None:
    """By a copy of its folder, which systemd's link leads to, and a word that it is the newest."""
    (commands,) = below("docs/recovery.md", "### To move a registrar by copying its folder")
    # It may not be here; what is asked of it is what `cp -a` does.
    (successor.root / "mnt/new").mkdir(parents=True)
    rsync = successor.root / "usr/local/bin/rsync"
    rsync.write_text('#!/bin/sh\nexec cp -a "$2." "$3"\n')
    rsync.chmod(0o755)
    copied = next(number for number, text in enumerate(commands) if text.startswith("rsync")) + 1
    follow(successor, commands[:copied], {})
    successor.run("mount", "--bind", "/mnt/new", STATE)
    follow(successor, commands[copied:], {"jrc-offline db accept-copy": (YES,)})
    assert "open" == successor.status()["condition"]
    assert 40 == successor.join()["joined"]


def test_a_backup_is_restored(successor: Router) -> None:
    """It is an old copy, so that nobody is let in until somebody has recovered it."""
    (successor.root / "mnt/stick").mkdir()
    successor.type("jrc backup create /mnt/stick/jrc.backup", (PASSPHRASE, PASSPHRASE))
    successor.paste("## While it is stopped", 1)
    shown = successor.attempt("jrc", "status", "--json").stdout  # which ends with 5
    assert "quarantined" == json.loads(shown)["condition"]
    (recover,) = below("docs/recovery.md", "### 4. Recover")
    (successor.root / "revoked.json").write_text(f"{IDENTIFIERS[0]}\n")
    follow(successor, recover, {"jrc recover": (YES,)})
    assert "open" == successor.status()["condition"]
    waiting = json.loads(successor.jrc("recover", "status", "--waiting", "--json"))
    assert {ADDED, *IDENTIFIERS[1:]} == {each["pledge_id"] for each in waiting}
