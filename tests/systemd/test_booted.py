"""The service on a host that systemd has booted: install, joins, kills, reloads, restarts, removal.

Long, since booting takes its time and so all of it is tried on one host, in this order.
"""

import json
import re
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from jrc.store.schema import SCHEMA_REVISION
from tests.systemd import release as releases
from tests.systemd.conftest import IDENTIFIERS, PLEDGES, RELEASE, Router
from tests.systemd.machine import CHECKOUT, PATIENCE_S, PYTHON

pytestmark = pytest.mark.systemd

CONFIG = "etc/jrc/config.toml"
CREDENTIAL = "etc/credstore.encrypted/jrc-kek"
WATCHDOG_S = 3


@pytest.fixture
def config(router: Router) -> Iterator[str]:
    """The config file's text; it is put back and reloaded."""
    file = router.root / CONFIG
    before = file.read_text()
    yield before
    file.write_text(before)
    router.run("systemctl", "reload", "jrc")


def test_after_the_install_one_command_is_left_to_be_typed(router: Router) -> None:
    """The service runs and is enabled, its port is open, and its key is this host's alone."""
    assert "active" == router.property("jrc.service", "ActiveState")
    for unit in ("jrc.service", "jrc.socket"):
        assert "enabled" == router.run("systemctl", "is-enabled", unit).strip()
    assert 'credential = "jrc-kek"' in (router.root / CONFIG).read_text()
    state = router.root / "var/lib/private/jrc"
    assert not (state / "kek").exists()
    assert (router.root / CREDENTIAL).stat().st_mode & 0o077 == 0
    assert (router.root / "var/lib/jrc").is_symlink()
    assert router.status()["ready"]


def test_manual_and_completions_are_where_readers_and_shells_look(router: Router) -> None:
    """Those of the wheel: `man jrc` has one for each command, and bash completes it."""
    shared = router.root / "usr/local/share"
    manual = {file.name for file in (shared / "man").rglob("jrc*")}
    made = {file.name for file in (CHECKOUT / "deploy/man").rglob("jrc*")}
    assert made == manual
    assert {"jrc.1", "jrc-pledge.1", "jrc-config.5"} < manual
    if Path("/etc/manpath.config").exists():  # else nobody can read any here
        assert router.run("man", "-w", "jrc").strip().endswith("/man/man1/jrc.1")
        assert router.run("man", "-w", "jrc-config").strip().endswith("/man/man5/jrc-config.5")
    completing = "/usr/local/share/bash-completion/completions/jrc"
    assert "jrc" in router.run("bash", "-c", f". {completing}; complete -p jrc")
    for name in ("zsh/site-functions/_jrc", "fish/vendor_completions.d/jrc.fish"):
        assert "jrc" in router.run("cat", f"/usr/local/share/{name}")


def test_systemd_finds_no_fault_in_what_was_installed(router: Router) -> None:
    """`systemd-analyze verify` prints nothing, and the service's exposure is 1.0 of 10 at most."""
    units = ["jrc.service", "jrc.socket", "jrc-metrics.socket", "jrc-page.socket"]
    others = ["jrc-api.socket", "jrc-proxy.service", "jrc-backup.service", "jrc-backup.timer"]
    others += ["jrc-backup-failed.service", "jrc-wpan@wpan0.service", "jrc-wpan@wpan0.socket"]
    done = router.attempt("systemd-analyze", "verify", *units, *others)
    assert ("", "", 0) == (done.stdout, done.stderr, done.returncode)
    for name, tenths in (("jrc.service", 10), ("jrc-wpan@.service", 11)):
        path = f"/etc/systemd/system/{name}"
        limit = f"--threshold={tenths}"
        router.run("systemd-analyze", "security", "--offline=true", limit, path)


def test_installing_again_keeps_what_there_is(router: Router) -> None:
    """Config file, key and database stay; the service goes on."""
    before = (router.root / CONFIG).read_text(), router.pid()
    assert f"/{CONFIG}, as it was" in router.install()
    assert before == ((router.root / CONFIG).read_text(), router.pid())


def test_an_install_does_not_follow_who_installs(router: Router) -> None:
    """Neither a strict umask, nor another `jrc` in the PATH, nor its config file; of two wheels
    it asks which."""
    link, shared = "/usr/local/share/man/man1/jrc.1", "/usr/local/lib/jrc/share/man/man1/jrc.1"
    router.run("rm", "-r", "/usr/local/share/man")
    script = f"{RELEASE}/deploy/systemd/install.sh"
    router.run("ln", "-s", "/usr/bin/true", "/root/jrc")
    strict = f"umask 077; PATH=/root:$PATH JRC_CONFIG=/nowhere sh {script}"
    assert f"/{CONFIG}, as it was" in router.run("sh", "-c", strict)
    assert shared == router.run("readlink", link).strip()
    folder = router.root / "usr/local/share/man/man1"
    assert 0o755 == folder.stat().st_mode & 0o777
    refused = router.attempt("sh", script, "jrc-0.1.0.whl", "jrc-0.2.0.whl")
    assert (2, True) == (refused.returncode, "name one wheel" in refused.stderr)


def test_the_user_of_the_service_is_one_for_as_long_as_it_runs(router: Router) -> None:
    """No user is left in /etc; the folder of the database is its own, and nobody else's."""
    owner = (router.root / "var/lib/private/jrc/jrc.db").stat()
    assert owner.st_uid >= 61184
    assert "jrc-daemon" == router.run("stat", "-c", "%U", "/var/lib/private/jrc/jrc.db").strip()
    assert "jrc" not in (router.root / "etc/passwd").read_text()
    assert (router.root / "var/lib/private/jrc").stat().st_mode & 0o077 == 0


def test_pledges_join_over_the_socket_that_systemd_holds(router: Router) -> None:
    """The daemon itself may open none to the network."""
    assert {"joined": 40, "repeated": 0, "refused": 0, "lost": 0} == router.join()
    (command,) = router.entries("ready")[-1:]
    assert "[::]:5683" in command["MESSAGE"]


def test_a_join_is_found_in_the_journal_by_its_pledge(router: Router) -> None:
    """Native fields with a priority; and no key is in any of them."""
    router.join()
    found = router.journal("--unit=jrc.service", f"JRC_PLEDGE={IDENTIFIERS[7]}", "JRC_EVENT=join")
    entry = json.loads(found.splitlines()[-1])
    assert ("6", "lab", "joined") == (
        entry["PRIORITY"], entry["JRC_NETWORK"], entry["JRC_OUTCOME"],
    )  # fmt: skip
    assert float(entry["JRC_TOOK_MS"]) > 0
    keys = [
        line.split()[1] for line in (router.root / PLEDGES.lstrip("/")).read_text().splitlines()
    ]
    everything = router.journal()
    assert [key for key in keys if key in everything.lower()] == []


def test_a_member_of_the_group_commands_and_the_audit_log_names_her(router: Router) -> None:
    """Anybody else does not get through."""
    refused = router.attempt("setpriv", "--reuid=alice", "--regid=alice", "--clear-groups", "jrc",
                             "status")  # fmt: skip
    assert refused.returncode != 0
    as_alice = ("setpriv", "--reuid=alice", "--regid=alice", "--groups=jrc", "jrc")
    router.run(*as_alice, "network", "set", "lab", "--join-rate", "77", "--reason", "test")
    (event,) = [each for each in router.events() if each["reason"] == "test"]
    assert "uid=1000(alice)" == event["actor"]


def test_a_daemon_that_is_killed_is_started_again(router: Router) -> None:
    """With its database, within seconds."""
    before = router.pid()
    router.run("kill", "-KILL", str(before))
    router.wait_for(lambda: router.pid() not in (0, before), "another daemon")
    router.wait_for(lambda: "running" == router.property("jrc.service", "SubState"), "its start")
    assert 40 == router.join()["joined"]


def test_sighup_takes_what_can_be_taken_and_names_the_rest(router: Router, config: str) -> None:
    """In the journal, in `jrc status` and in `systemctl status`; the process stays."""
    before = router.pid()
    changed = config.replace('level = "info"', 'level = "debug"')
    changed = changed.replace('socket = "/run/jrc/admin.sock"', 'socket = "/run/jrc/other.sock"')
    (router.root / CONFIG).write_text(changed)
    router.paste("## Change settings", 1)
    router.wait_for(lambda: router.entries("restart_needed"), "the line that names the rest")
    assert "log.level" in router.entries("reloaded")[-1]["MESSAGE"]
    assert "admin.socket" == router.entries("restart_needed")[-1]["JRC_SETTINGS"]
    (router.root / CONFIG).write_text(config.replace('level = "info"', 'level = "debug"'))
    router.run("systemctl", "reload", "jrc")
    (router.root / CONFIG).write_text(config + "\n[nobody]\nknows = 1\n")
    router.run("systemctl", "reload", "jrc")
    router.wait_for(lambda: router.entries("reload_refused"), "the line that says why not")
    assert "can't be used" in router.property("jrc.service", "StatusText")
    assert before == router.pid()
    assert "running" == router.property("jrc.service", "SubState")


def test_a_daemon_that_hangs_is_ended_and_started_again(router: Router) -> None:
    """SIGSTOP: its loop comes round no more."""
    drop_in = router.root / "etc/systemd/system/jrc.service.d/quick.conf"
    drop_in.parent.mkdir(exist_ok=True)
    drop_in.write_text(f"[Service]\nWatchdogSec={WATCHDOG_S}\nTimeoutAbortSec=1\n")
    router.run("systemctl", "daemon-reload")
    router.run("systemctl", "restart", "jrc")
    before = router.pid()
    heard = {router.property("jrc.service", "WatchdogTimestampMonotonic")}

    def told_thrice() -> bool:
        heard.add(router.property("jrc.service", "WatchdogTimestampMonotonic"))
        return len(heard) > 3

    router.wait_for(told_thrice, "word after word that it works")
    assert before == router.pid()
    router.run("kill", "-STOP", str(before))
    router.wait_for(lambda: router.pid() not in (0, before), "another daemon")
    drop_in.unlink()
    router.run("systemctl", "daemon-reload")
    router.run("systemctl", "restart", "jrc")
    assert "Watchdog timeout" in router.journal("_PID=1", "UNIT=jrc.service")
    assert 40 == router.join()["joined"]


def test_a_restart_under_load_loses_no_join(router: Router) -> None:
    """The port stays open: no ICMP error, and what came meanwhile is answered afterwards."""
    end = router.root / "root/end"
    load = router.start(*router.python("tests.systemd.joiner", PLEDGES, "::1", "/root/end"))
    assert load.stdout is not None
    assert "begun\n" == load.stdout.readline()
    before = router.pid()
    for _ in range(2):
        router.run("systemctl", "restart", "jrc")
    end.touch()
    said, _ = load.communicate(timeout=PATIENCE_S)
    counts = json.loads(said.splitlines()[-1])
    assert before != router.pid()
    assert (0, 0) == (counts["refused"], counts["lost"])
    assert counts["joined"] > 40


def test_metrics_come_over_a_socket_of_their_own(router: Router, config: str) -> None:
    """Without it the daemon says that it may open none, and which unit does."""
    (router.root / CONFIG).write_text(config + '\n[metrics]\nlisten = "127.0.0.1:9631"\n')
    done = router.attempt("systemctl", "restart", "jrc")
    assert done.returncode != 0
    assert "jrc-metrics.socket" in router.journal("--unit=jrc.service")
    router.run("systemctl", "enable", "jrc-metrics.socket")
    router.run("systemctl", "restart", "jrc")
    fetch = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9631/readyz').status)"
    assert "200" == router.run(*router.python("timeit")[:-2], "-c", fetch).strip()
    router.run("systemctl", "disable", "--now", "jrc-metrics.socket")
    (router.root / CONFIG).write_text(config)
    router.run("systemctl", "reset-failed", "jrc")
    router.run("systemctl", "restart", "jrc")


def test_what_needs_sockets_names_the_drop_in_that_allows_them(router: Router, config: str) -> None:
    """A Join Proxy in the daemon; with the drop-in it waits for its interface."""
    proxy = '\n[proxy]\ninterface = "lowpan0"\njrc = "[::1]:5683"\n'
    (router.root / CONFIG).write_text(config + proxy)
    assert router.attempt("systemctl", "restart", "jrc").returncode != 0
    assert "ip.conf" in router.journal("--unit=jrc.service", "PRIORITY=6", "--since=-60s")
    drop_in = "/etc/systemd/system/jrc.service.d/ip.conf"
    router.run("install", "-D", f"{RELEASE}/deploy/systemd/ip.conf", drop_in)
    router.run("systemctl", "daemon-reload")
    router.run("systemctl", "reset-failed", "jrc")
    router.run("systemctl", "restart", "jrc")
    assert "lowpan0" in str(router.status()["proxy"])
    (router.root / drop_in.lstrip("/")).unlink()
    (router.root / CONFIG).write_text(config)
    router.run("systemctl", "daemon-reload")
    router.run("systemctl", "restart", "jrc")


def test_a_join_proxy_by_itself_runs_beside_it(router: Router) -> None:
    """It reads its config file, and waits for its interface."""
    file = router.root / "etc/jrc/proxy.toml"
    file.write_text('[proxy]\ninterface = "lowpan0"\njrc = "[2001:db8::1]:5683"\n')
    router.run("chgrp", "jrc", "/etc/jrc/proxy.toml")
    file.chmod(0o640)
    router.run("systemctl", "start", "jrc-proxy")
    assert "proxy_waits" in router.journal("--unit=jrc-proxy.service")
    router.run("systemctl", "stop", "jrc-proxy")
    assert "success" == router.property("jrc-proxy.service", "Result")


def test_a_backup_is_made_by_a_unit_that_has_no_rights(router: Router, config: str) -> None:
    """Sealed for whom the config file names, in a folder of its own, and noted in the audit log."""
    keygen = "import pyrage; print(pyrage.x25519.Identity.generate().to_public())"
    recipient = router.run(*router.python("timeit")[:-2], "-c", keygen).strip()
    (router.root / CONFIG).write_text(config + f'\n[backup]\nrecipients = ["{recipient}"]\n')
    router.run("systemctl", "reload", "jrc")
    router.paste("## Backups", 1)
    made = list((router.root / "var/lib/private/jrc-backup").glob("jrc-*.backup"))
    assert 1 == len(made)
    assert made[0].stat().st_mode & 0o077 == 0
    noted = [e["kind"] for e in router.events() if e["reason"] == "jrc-backup.timer"]
    assert ["backup.begun", "backup.made"] == noted
    assert "jrc-backup.timer" in router.run("systemctl", "list-timers", "--no-pager")


def test_a_backup_that_fails_is_told_to_the_registrar(router: Router, config: str) -> None:
    """Nobody is named for whom it would be sealed; the next one that is made ends it."""
    assert router.attempt("systemctl", "start", "jrc-backup.service").returncode != 0
    told = router.wait_for(lambda: router.status()["backup_failed"], "word of the failure")
    assert "jrc-backup.service" in router.entries("backup_failed")[-1]["MESSAGE"]
    assert f"the last backup failed, at {told}" in router.jrc("status")
    assert "success" == router.property("jrc-backup-failed.service", "Result")


def test_word_of_a_failed_backup_waits_for_a_registrar_that_starts_again(router: Router) -> None:
    """As where the daemon has ended in the middle of it; one that was stopped is not started."""

    def told() -> int:
        return [event["kind"] for event in router.events()].count("backup.failed")

    before, had = router.pid(), told()
    router.run("kill", "-KILL", str(before))
    router.wait_for(lambda: router.pid() != before, "the end of the daemon")
    router.run("systemctl", "start", "jrc-backup-failed.service")
    assert had + 1 == told()
    router.run("systemctl", "stop", "jrc.socket", "jrc.service")
    assert router.attempt("systemctl", "start", "jrc-backup-failed.service").returncode != 0
    assert "inactive" == router.property("jrc.service", "ActiveState")
    assert "inactive" == router.property("jrc-backup-failed.service", "ActiveState")
    router.run("systemctl", "start", "jrc.socket", "jrc.service")


def test_an_upgrade_starts_anew_all_that_runs_of_the_program(router: Router) -> None:
    """As docs/systemd.md says; what does not run is left alone."""
    file = router.root / "etc/jrc/proxy.toml"
    file.write_text('[proxy]\ninterface = "lowpan0"\njrc = "[2001:db8::1]:5683"\n')
    router.run("chgrp", "jrc", "/etc/jrc/proxy.toml")
    file.chmod(0o640)
    running = ("jrc.service", "jrc-proxy.service", "jrc-wpan@wpan0.service")
    router.run("systemctl", "start", *running)
    before = [router.property(unit, "MainPID") for unit in running]
    router.install()
    router.paste("## Upgrade", 2)
    after = [router.property(unit, "MainPID") for unit in running]
    assert [] == [unit for unit, old, new in zip(running, before, after, strict=True) if old == new]
    assert ["active"] * 3 == [router.property(unit, "ActiveState") for unit in running]
    router.run("systemctl", "stop", *running[1:], "jrc-wpan@wpan0.socket")
    router.paste("## Upgrade", 2)
    assert ["inactive"] * 2 == [router.property(unit, "ActiveState") for unit in running[1:]]


def test_an_upgrade_to_another_schema_goes_as_the_page_says(
    router: Router, release: Path, tmp_path: Path
) -> None:
    """The new version, installed from its wheel, refuses the database until it is upgraded."""
    newer = releases.make_newer(release, tmp_path / "newer")
    there = partial(router.unpack, newer)
    router.paste("## Upgrade", 1, {"git pull": there, "make wheel": there})
    assert "jrc 99.0" == router.jrc("--version").strip()
    assert "jrc 99.0" != f"jrc {router.status()['version']}"
    begin = json.loads(router.journal("--lines=1"))["__CURSOR"]
    assert router.attempt("systemctl", "restart", "jrc").returncode != 0
    entries = map(json.loads, router.journal(f"--after-cursor={begin}").splitlines())
    said = [each["MESSAGE"] for each in entries if each.get("SYSLOG_IDENTIFIER") == "jrc"]
    refusal = [
        f"error: database.url: the database has schema {SCHEMA_REVISION}, older than 9999",
        "hint: run `jrc db upgrade`, which copies an SQLite file first",
    ]
    assert refusal == [line for line in said if not line.startswith("stopped ")][:2]
    router.paste("## Upgrade", 3)
    assert router.status()["ready"]
    assert 40 == router.join()["joined"]
    copies = (router.root / "var/lib/private/jrc").glob("jrc.db.before-*")
    assert 1 == len(list(copies))


def test_a_helper_that_was_started_too_often_is_back_as_the_hint_says(
    router: Router, config: str
) -> None:
    """Its socket is gone then, and systemd refuses a start until its count is set back."""
    installer = '\n[[installer]]\nnetwork = "lab"\nkind = "linux"\ninterface = "wpan0"\n'
    helper = 'helper = "/run/jrc-wpan/wpan0.sock"\nretry_s = 1\nretry_max_s = 1\n'
    (router.root / CONFIG).write_text(config + installer + helper)
    program = router.root / "usr/local/bin/helper"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    drop_in = router.root / "etc/systemd/system/jrc-wpan@.service.d/fails.conf"
    drop_in.parent.mkdir()
    own = "[Service]\nExecStart=\nExecStart=/usr/local/bin/helper %i\n"
    drop_in.write_text(f"[Unit]\nStartLimitBurst=1\n{own}")
    router.run("systemctl", "daemon-reload")
    router.run("systemctl", "enable", "--now", "jrc-wpan@wpan0.socket")
    router.run("systemctl", "restart", "jrc")
    limit = "service-start-limit-hit"
    router.wait_for(lambda: limit == router.property("jrc-wpan@wpan0.socket", "Result"), limit)
    # Without another `daemon-reload`, at which older systemds forget what they have counted.
    program.write_text('#!/bin/sh\nexec jrc wpan "$1"\n')

    def said() -> str:
        return router.attempt("jrc", "status", "--json").stdout

    router.wait_for(lambda: "reset-failed" in said(), "the hint")
    hint = re.search(r"systemctl reset-failed [^,]*", said())
    assert hint is not None
    router.type(hint[0])
    # The hint says `enable --now`, at which older ones forget as well, and nothing would be shown.
    router.run("systemctl", "start", "jrc-wpan@wpan0.socket")
    router.wait_for(
        lambda: "active" == router.property("jrc-wpan@wpan0.service", "ActiveState"), "the helper"
    )
    router.run("systemctl", "disable", "--now", "jrc-wpan@wpan0.socket", "jrc-wpan@wpan0.service")
    router.run("rm", "-r", "/etc/systemd/system/jrc-wpan@.service.d", "/usr/local/bin/helper")
    router.run("systemctl", "daemon-reload")
    (router.root / CONFIG).write_text(config)
    router.run("systemctl", "restart", "jrc")


def test_a_helper_has_the_right_to_set_keys_and_listens_to_the_registrar(
    router: Router, config: str
) -> None:
    """Started by the daemon's question over its socket; this kernel has no such radio, or this is
    not its first network namespace, which the helper says. A member of the group is hung up on."""
    installer = '\n[[installer]]\nnetwork = "lab"\nkind = "linux"\ninterface = "wpan0"\n'
    helper = 'helper = "/run/jrc-wpan/wpan0.sock"\nretry_s = 1\nretry_max_s = 1\n'
    (router.root / CONFIG).write_text(config + installer + helper)
    router.paste("## What is there", 1)

    def said() -> str:
        done = router.attempt("jrc", "status", "--json")  # exit code 5: it fails, as it should
        return str(json.loads(done.stdout or "{}").get("installers"))

    router.wait_for(lambda: "802.15.4" in said() or "namespace" in said(), "the helper's answer")
    assert "active" == router.property("jrc-wpan@wpan0.service", "ActiveState")
    pid = router.property("jrc-wpan@wpan0.service", "MainPID")
    rights = router.run("grep", "-E", "^(CapEff|CapBnd|Uid|NoNewPrivs)", f"/proc/{pid}/status")
    assert ["0000000000001000"] * 2 == [
        line.split()[1] for line in rights.splitlines() if line.startswith("Cap")
    ]
    assert "0" not in next(line for line in rights.splitlines() if "Uid" in line).split()[1:]
    knock = "import socket; s = socket.socket(socket.AF_UNIX); "
    knock += "s.connect('/run/jrc-wpan/wpan0.sock'); print(s.recv(1))"
    as_alice = ("setpriv", "--reuid=alice", "--regid=alice", "--groups=jrc")
    assert "b''" == router.run(*as_alice, PYTHON, "-c", knock).strip()
    assert "user 1000 was hung up on" in router.journal("--unit=jrc-wpan@wpan0.service")
    stranger = ("setpriv", "--reuid=alice", "--regid=alice", "--clear-groups", PYTHON, "-c", knock)
    assert "PermissionError" in router.attempt(*stranger).stderr
    doctor = json.loads(router.attempt("jrc", "doctor", "--json").stdout)
    assert "the helper of each radio has the privilege" in str(doctor)
    router.run("systemctl", "disable", "--now", "jrc-wpan@wpan0.socket", "jrc-wpan@wpan0.service")
    (router.root / CONFIG).write_text(config)
    router.run("systemctl", "restart", "jrc")


def test_commands_work_on_the_database_while_the_service_is_stopped(router: Router) -> None:
    """As root, with the service's key; what they leave is the service's again at its start."""
    refused = router.attempt("jrc-offline", "status")
    assert (6, True) == (refused.returncode, "stop jrc.socket" in refused.stderr)
    router.run("systemctl", "stop", "jrc.socket", "jrc.service")
    said = router.run("jrc-offline", "network", "set", "lab", "--join-rate", "78")
    assert "lab" in said
    assert 0 == (router.root / "var/lib/private/jrc/jrc.db").stat().st_uid
    router.run("systemctl", "start", "jrc")
    assert (router.root / "var/lib/private/jrc/jrc.db").stat().st_uid >= 61184
    assert 40 == router.join()["joined"]


def test_another_key_becomes_a_credential_at_once(router: Router) -> None:
    """While the registrar runs; the one that it started with opens nothing any more."""
    before = router.run("systemd-creds", "decrypt", "--name=jrc-kek", f"/{CREDENTIAL}", "-")
    router.paste("## The key", 2)
    after = router.run("systemd-creds", "decrypt", "--name=jrc-kek", f"/{CREDENTIAL}", "-")
    assert before != after
    assert 40 == router.join()["joined"]


def test_a_lost_credential_is_made_anew_with_the_recovery_identity(router: Router) -> None:
    """As the page says; nothing opens with the lost one any more, and no disk has seen the key."""
    router.jrc("keys", "add", "recovery", "usb", "--out", "/root/recovery")
    shutil.copy2(router.inside("/root/recovery"), router.inside("/run/identity"))
    (router.root / CREDENTIAL).unlink()
    assert router.attempt("systemctl", "restart", "jrc").returncode != 0
    assert "jrc-kek" in router.journal("--unit=jrc.service", "PRIORITY=6", "--since=-60s")
    before = (router.root / CONFIG).read_text()
    router.paste("### A credential that does not open", 1)
    assert before == (router.root / CONFIG).read_text()
    assert 40 == router.join()["joined"]


def test_the_service_ends_when_it_is_told_to(router: Router) -> None:
    """In good order, and it says so."""
    router.run("systemctl", "stop", "jrc.socket", "jrc.service")
    assert "success" == router.property("jrc.service", "Result")
    assert router.entries("stopped")


def test_nothing_of_it_is_left_once_it_was_removed_as_the_page_says(router: Router) -> None:
    """Of all that the tests above have installed, enabled and started."""
    was = {file for file in router.files() if "jrc" in file}
    assert {"/etc/systemd/system/jrc.service", "/usr/local/share/man/man1/jrc.1"} <= was
    assert "/var/lib/systemd/timers/stamp-jrc-backup.timer" in was
    router.paste("## Remove", 1)
    left = {file for file in router.files() if "jrc" in file}
    kept = ("/etc/jrc", "/etc/credstore.encrypted/", "/var/lib/")
    assert {"/var/lib/private/jrc/jrc.db", "/etc/jrc/config.toml"} < left
    assert [] == [file for file in left if not file.startswith(kept)]
    router.paste("## Remove", 2)
    assert [] == [file for file in router.files() if "jrc" in file]
    assert "jrc" not in (router.root / "etc/group").read_text()
    units = router.run("systemctl", "list-unit-files", "--no-pager", "--no-legend")
    assert "jrc" not in units


def test_an_install_that_fails_leaves_nothing_in_the_way_of_the_next(
    router: Router, program: Path
) -> None:
    """A database that is there is kept; neither config file nor credential is made for it."""
    router.put_program(program)
    database = router.root / "var/lib/jrc/jrc.db"
    database.parent.mkdir()
    database.touch()
    refused = router.attempt("sh", f"{RELEASE}/deploy/systemd/install.sh")
    assert (1, True) == (refused.returncode, "nothing was made" in refused.stderr)
    made = ("/etc/jrc", "/etc/credstore.encrypted", "/var/lib/jrc")
    assert ["/var/lib/jrc/jrc.db"] == [file for file in router.files() if file.startswith(made)]
    router.run("rm", "-r", "/var/lib/jrc")


def test_where_no_credential_can_be_made_the_key_is_a_file_until_one_is(router: Router) -> None:
    """The install script gives systemd-creds a key by a pipe; what is a file is another one."""
    creds = router.root / "usr/local/bin/systemd-creds"
    creds.write_text("#!/bin/sh\ncat >/root/given; echo $* >/root/asked; exit 1\n")
    creds.chmod(0o755)
    assert "systemd-creds can't encrypt here" in router.install()
    assert f"encrypt --name=jrc-kek - /{CREDENTIAL}\n" == (router.root / "root/asked").read_text()
    key = (router.root / "var/lib/jrc/kek").read_text().strip()
    assert re.fullmatch(r"[0-9a-f]{64}", (router.root / "root/given").read_text())
    assert key != (router.root / "root/given").read_text()
    router.run("systemctl", "enable", "--now", "jrc")
    creds.unlink()
    router.paste("## The key", 1)
    assert "open" == router.status()["condition"]
    assert 'credential = "jrc-kek"' in (router.root / CONFIG).read_text()
    assert [] == [file for file in router.files() if file.endswith("/kek")]
