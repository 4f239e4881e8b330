"""The keys that seal the database, with a daemon that runs: sealed, changed, not in a core dump."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from jrc.errors import ExitCode
from tests import forked
from tests.daemon.site import PATIENCE_S, Daemon, Site
from tests.daemon.wire import Wire
from tests.forked import JRC, Forked


def until(holds: Callable[[], bool]) -> None:
    """Return once ``holds``; fails after the patience that processes get."""
    ends = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.05)


# --- Sealed ------------------------------------------------------------------------------------


@contextmanager
def sealed(site: Site, **environ: str) -> Iterator[Forked]:
    """`jrc run` without its key file, once it says that it is sealed."""
    process = forked.piped(
        JRC, "--config", str(site.config), "run", environ={**os.environ, **environ}
    )
    try:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        assert ("sealed", "error") == (line["event"], line["level"])
        assert "does not exist" in line["error"]
        yield process
    finally:
        process.kill()
        process.wait(timeout=PATIENCE_S)
        assert process.stdout is not None
        process.stdout.close()


def take_key(site: Site) -> str:
    text = (site.folder / "kek").read_text()
    (site.folder / "kek").unlink()
    return text


def give_key(site: Site, text: str) -> None:
    """As a secret comes: at once."""
    coming = site.folder / "kek.coming"
    coming.write_text(text)
    coming.chmod(0o600)
    coming.rename(site.folder / "kek")


def udp_sockets(pid: int) -> int:
    """How many UDP sockets a process has."""
    links = [os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir() if each.is_symlink()]
    table = Path(f"/proc/{pid}/net/udp6").read_text() + Path(f"/proc/{pid}/net/udp").read_text()
    inodes = {row.split()[9] for row in table.splitlines() if row.split()[0] != "sl"}
    return len({link for link in links if link.removeprefix("socket:[").rstrip("]") in inodes})


def test_without_its_key_a_registrar_is_sealed(site: Site) -> None:
    """No UDP socket and no lock; status, readiness and every command say why."""
    take_key(site)
    with sealed(site) as process:
        until((site.folder / "admin.sock").exists)
        assert 0 == udp_sockets(process.pid)
        assert not (site.folder / "jrc.db.lock").read_bytes()
        status = site.attempt("status", "--json")
        found = json.loads(status.stdout)
        assert ExitCode.UNFINISHED == status.returncode
        assert (True, False, process.pid) == (found["sealed"], found["ready"], found["pid"])
        url = f"http://127.0.0.1:{site.metrics_port}"
        ready, alive, metrics = (
            httpx.get(url + path, trust_env=False) for path in ("/readyz", "/healthz", "/metrics")
        )
        assert (503, 200) == (ready.status_code, alive.status_code)
        assert "sealed" in ready.json()["why"][0]
        for sample in ("jrc_ready 0.0", "jrc_sealed 1.0", 'jrc_build_info{database="",python='):
            assert f"\n{sample}" in metrics.text
        done = site.attempt("pledge", "list")
        assert (ExitCode.UNFINISHED, True) == (done.returncode, "sealed" in done.stderr)
        assert "the daemon" in site.attempt("doctor", "--no-join").stdout
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(timeout=PATIENCE_S)
    assert not (site.folder / "admin.sock").exists()


def test_a_sealed_registrar_goes_on_when_its_key_comes(site: Site) -> None:
    """A container's secret may come late."""
    text = take_key(site)
    with sealed(site) as process:
        give_key(site, text)
        assert process.stdout is not None
        events = []
        while "ready" not in events:
            events.append(json.loads(process.stdout.readline())["event"])
        assert "unsealing" == events[0]
        assert 1 == udp_sockets(process.pid)
        assert 0 == site.attempt("pledge", "list").returncode
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        assert 0 == process.wait(timeout=PATIENCE_S)


def test_the_key_file_of_a_sealed_registrar_can_be_restored(site: Site, tmp_path: Path) -> None:
    """With the recovery identity; the daemon that waits then starts."""
    paper = tmp_path / "paper"
    site.run("keys", "add", "recovery", "paper", "--out", str(paper))
    take_key(site)
    with sealed(site) as process:
        site.run("keys", "restore", "--identity-file", str(paper))
        assert process.stdout is not None
        assert any('"ready"' in line for line in iter(process.stdout.readline, ""))


def test_sighup_ends_no_sealed_registrar(site: Site, tmp_path: Path) -> None:
    """Nothing is in force that could be another; it waits, and goes on when its key comes."""
    text = take_key(site)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE_S)
        with sealed(site, NOTIFY_SOCKET=str(tmp_path / "notify")) as process:
            assert b"READY=1" in manager.recv(1000)
            process.send_signal(signal.SIGHUP)
            assert manager.recv(1000).startswith(b"RELOADING=1\n")
            assert b"READY=1" == manager.recv(1000)
            assert process.stdout is not None
            assert "reload_refused" == json.loads(process.stdout.readline())["event"]
            give_key(site, text)
            assert "unsealing" == json.loads(process.stdout.readline())["event"]
            process.send_signal(signal.SIGHUP)
            assert any('"ready"' in line for line in iter(process.stdout.readline, ""))


def test_a_service_manager_is_told_that_it_is_sealed(site: Site, tmp_path: Path) -> None:
    """sd_notify(3): it is up, and its status says what it waits for."""
    text = take_key(site)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE_S)
        with sealed(site, NOTIFY_SOCKET=str(tmp_path / "notify")):
            said = manager.recv(1000).decode()
            assert said.startswith("READY=1\nSTATUS=sealed: ")
            give_key(site, text)
            assert [b"STATUS=", b"READY=1"] == [manager.recv(1000) for _ in range(2)]


# --- Changed -----------------------------------------------------------------------------------


def test_keys_are_rotated_under_a_daemon_that_answers_joins(daemon: Daemon, wire: Wire) -> None:
    """New rows are readable at once; old pledges and new ones join during and after."""
    site, before = daemon.site, [daemon.enroll().pledge() for _ in range(3)]
    for pledge in before:
        wire.join(pledge)
    site.run("keys", "add", "recovery", "paper", "--out", str(site.folder / "paper"))
    while not daemon.api("POST", "/v1/keys/rotation", json={})["begun"]:
        pass
    over = False
    while not over:
        wire.join(before[0])
        over = bool(daemon.api("POST", "/v1/keys/rotation/step", json={})["is_over"])
        wire.join(daemon.enroll().pledge())
    site.run("keys", "rotate", "--kek", "--data", "--yes", "--reason", "yearly")
    for pledge in before:
        wire.join(pledge)
    found = daemon.api("GET", "/v1/keys")
    assert ([], False) == (found["warnings"], found["is_rotating"])
    assert {} == {k: v for k, v in daemon.dropped().items() if k == "damaged_state"}


def test_a_file_that_was_replaced_and_not_put_in_place_is_told(site: Site) -> None:
    """The daemon goes on with what it has in memory; its next start would fail."""
    with site.start() as daemon, Wire(daemon.address) as wire:
        site.run("keys", "rotate", "--file", str(site.folder / "kek.new"), "--yes")
        wire.join(daemon.enroll().pledge())
        done = site.attempt("keys", "slots")
        assert (ExitCode.UNFINISHED, True) == (done.returncode, "can't be started" in done.stderr)
        doctor = json.loads(site.attempt("doctor", "--no-join", "--json").stdout)
        (key,) = [each for each in doctor["checks"] if each["name"] == "key"]
        assert ("failure", True) == (key["status"], "opens no slot" in key["what"])
        (site.folder / "kek.new").rename(site.folder / "kek")
        assert "can't be started" not in site.attempt("keys", "slots").stderr
        assert 0 == daemon.stop()
    with site.start() as daemon:
        assert 200 == daemon.get("/readyz").status_code


_DYING = """
import os, signal, sys
from jrc.cli.main import main
from jrc.store.connection import WriterConnection

left, commit = [int(sys.argv[1])], WriterConnection.commit

def dying(self, *given):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    commit(self, *given)

WriterConnection.commit = dying
sys.exit(main(sys.argv[2:]))
"""


def test_a_rotation_that_was_killed_goes_on(site: Site) -> None:
    """SIGKILL to the command itself, which works without a daemon; the second run ends it."""
    made = site.new_devices(3)
    site.import_devices(made)
    words = ("--config", str(site.config), "keys", "rotate", "--data", "--yes")
    killed = subprocess.run(
        [sys.executable, "-c", _DYING, "2", *words], capture_output=True, check=False
    )
    assert -signal.SIGKILL == killed.returncode
    assert "keys rotate --data" in site.attempt("keys", "slots").stderr
    assert "goes on" in site.run("keys", "rotate", "--data", "--yes").stderr
    with site.start() as daemon, Wire(daemon.address) as wire:
        for device in made:
            wire.join(device.pledge())


# --- Core dumps --------------------------------------------------------------------------------


def test_a_daemon_leaves_no_core_dump(daemon: Daemon) -> None:
    """Its limit is 0, whatever it was begun with."""
    limits = Path(f"/proc/{daemon.pid}/limits").read_text()
    (core,) = [line.split() for line in limits.splitlines() if "core file" in line]
    assert ["0", "0"] == core[4:6]


def test_a_killed_command_leaves_no_core_dump(site: Site, tmp_path: Path) -> None:
    """Also where the user has set no limit: the process is not dumpable from its start."""
    check = (
        "import ctypes, resource; from jrc.cli.main import main; main(['--version']);"
        " print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), *resource.getrlimit(resource.RLIMIT_CORE))"
    )
    done = subprocess.run(
        [sys.executable, "-c", check], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "0 0 0" == done.stdout.splitlines()[-1]
