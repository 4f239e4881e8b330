"""The daemon and an operator's program: keys reach a radio, and nothing else has them."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jrc.errors import ExitCode
from tests.daemon.site import PATIENCE_S, Daemon, Site
from tests.daemon.test_secrets import leaks
from tests.daemon.wire import Wire

COLLECT = """\
#!/bin/sh
# Keeps what it is given; fails while there is a file "broken", waits while there is one "held".
cd {folder} || exit 9
cat /proc/$$/environ /proc/$$/cmdline > shown.$$ && mv shown.$$ shown
echo $$ > running
cat > taken && cat taken >> taken.all
while [ -e held ]; do sleep 0.02; done
if [ -e broken ]; then echo "no radio: $(cat taken)" >&2; exit 3; fi
"""
SECTION = """
[[installer]]
network = "lab"
kind = "exec"
command = ["./radio/set-keys"]
retry_s = 0.05
retry_max_s = 0.05
"""


class Radio:
    """Stands for a radio behind a program; its folder holds what the program was given."""

    def __init__(self, site: Site, section: str = SECTION) -> None:
        self.folder = site.folder / "radio"
        self.folder.mkdir()
        program = self.folder / "set-keys"
        program.write_text(COLLECT.format(folder=self.folder))
        program.chmod(0o700)
        with site.config.open("a") as config:
            config.write(section)

    @property
    def documents(self) -> list[dict[str, Any]]:
        """Every document so far."""
        taken = self.folder / "taken.all"
        return (
            [json.loads(line) for line in taken.read_text().splitlines()] if taken.exists() else []
        )

    def set(self, name: str, wanted: bool) -> None:
        """Make or remove a file that the program looks for."""
        path = self.folder / name
        if wanted:
            path.touch()
        else:
            path.unlink()


@pytest.fixture
def radio(site: Site) -> Radio:
    return Radio(site)


def until(found: Callable[[], bool], daemon: Daemon) -> None:
    """Return once something is so."""
    deadline = time.monotonic() + PATIENCE_S
    while not found():
        assert time.monotonic() < deadline, "".join(daemon.log[-10:])
        time.sleep(0.02)


def state(daemon: Daemon, name: str = "lab/exec") -> dict[str, Any]:
    """What the status says of the installer."""
    found: Any = daemon.api("GET", "/v1/status")["installers"]
    told: dict[str, Any] = found[name]
    return told


def is_in(daemon: Daemon) -> bool:
    return bool(state(daemon)["state"] == "installed")


def kinds(site: Site) -> list[str]:
    found = json.loads(site.run("events", "--json").stdout)
    return [event["kind"] for event in found if event["kind"].startswith("installer")]


def test_the_radio_has_the_keys_that_pledges_get(site: Site, radio: Radio) -> None:
    """At the start, and again when what the document says has changed (RFC 9031 §8.4.3)."""
    with site.start() as daemon, Wire(daemon.address) as wire:
        (told,) = wire.join(daemon.enroll().pledge()).keys
        until(lambda: is_in(daemon), daemon)
        site.run("network", "set", "lab", "--network-id", "cafe", "--network-id", "beef", "--yes")
        until(lambda: len(radio.documents) == 2 and is_in(daemon), daemon)
        assert daemon.stop() == 0
    first, second = radio.documents
    (key,) = first["keys"]
    assert (key["key_id"], key["value"]) == (told.key_id, told.value.reveal().hex())
    assert (first["reason"], first["identifiers"]) == ("start", ["cafe"])
    assert (second["reason"], second["identifiers"]) == ("change", ["cafe", "beef"])
    assert kinds(site) == ["installer.installed"]


def test_a_radio_that_fails_keeps_nobody_from_joining_and_is_tried_again(
    site: Site, radio: Radio
) -> None:
    """Status, exit codes, metrics, one log line and one event; then it works."""
    radio.set("broken", True)
    with site.start() as daemon, Wire(daemon.address) as wire:
        until(lambda: len(radio.documents) > 3, daemon)
        wire.join(daemon.enroll().pledge())
        assert daemon.get("/readyz").status_code == 200
        assert site.attempt("status").returncode == ExitCode.UNFINISHED
        shown = site.run("network", "show", "lab").stdout
        assert "exec failed: exit code 3" in shown
        assert daemon.metrics()[labelled("jrc_installer_installed")] == 0
        assert daemon.metrics()[labelled("jrc_installer_failures_total")] >= 3
        radio.set("broken", False)
        until(lambda: is_in(daemon), daemon)
        assert site.attempt("status").returncode == 0
        metrics = daemon.metrics()
        assert metrics[labelled("jrc_installer_installed")] == 1
        assert metrics[labelled("jrc_installer_success_total")] == 1
        age_s = time.time() - metrics[labelled("jrc_installer_last_success_timestamp_seconds")]
        assert 0 <= age_s < PATIENCE_S
        daemon.stop()
    said = [line["event"] for line in daemon.events() if "installer" in str(line["event"])]
    assert said == ["installer_failed", "installer_installed"]
    assert kinds(site) == ["installer.failed", "installer.installed"]


def labelled(name: str) -> str:
    return f'{name}{{installer="exec",network="lab"}}'


def test_a_command_installs_now_and_says_what_came_of_it(site: Site, radio: Radio) -> None:
    """Exit code 0 or 5, through the daemon and without one."""
    with site.start() as daemon:
        until(lambda: is_in(daemon), daemon)
        by_daemon = site.run("network", "install", "lab", "--reason", "new radio", "--json")
        radio.set("broken", True)
        assert site.attempt("network", "install", "lab").returncode == ExitCode.UNFINISHED
    without = site.attempt("network", "install", "lab")
    assert without.returncode == ExitCode.UNFINISHED
    assert "exec: failed: exit code 3" in without.stdout
    radio.set("broken", False)
    assert "exec: has generation 1" in site.run("network", "install", "lab").stdout
    (report,) = json.loads(by_daemon.stdout)["installers"]
    assert (report["installer"], report["installed"], report["generation"]) == ("exec", True, 1)
    reasons = [document["reason"] for document in radio.documents]
    # The daemon may have tried again by itself before it ended.
    assert (reasons[0], set(reasons[1:]) | {"change"}) == ("start", {"command", "change"})


def test_the_end_of_the_daemon_ends_a_run(site: Site, radio: Radio) -> None:
    """In a moment and not after the program's time is over."""
    radio.set("held", True)
    with site.start() as daemon:
        until((radio.folder / "running").exists, daemon)
        until(lambda: len(radio.documents) == 1, daemon)
        began = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - began < 10
    pid = int((radio.folder / "running").read_text())
    assert not Path(f"/proc/{pid}").exists()


def test_a_run_that_outlives_a_killed_daemon_is_never_met_by_another(
    site: Site, radio: Radio
) -> None:
    """The next daemon says so, and puts the keys in when it has ended."""
    radio.set("held", True)
    with site.start() as daemon:
        until(lambda: len(radio.documents) == 1, daemon)
        daemon.kill()
    with site.start() as daemon:
        until(lambda: state(daemon)["state"] == "failed", daemon)
        pid = (radio.folder / "running").read_text().strip()
        assert state(daemon)["error"] == f"an earlier run still goes on (process {pid})"
        assert len(radio.documents) == 1
        radio.set("held", False)
        until(lambda: is_in(daemon), daemon)
        daemon.stop()
    assert len(radio.documents) == 2


def test_an_unknown_network_is_refused_by_check_config_and_waited_for_by_the_daemon(
    site: Site, radio: Radio
) -> None:
    """One sentence with the key; the network that was misspelt is offered."""
    site.change('network = "lab"', 'network = "lav"')
    sentence = "installer[0].network: there is no network 'lav'; did you mean lab?"
    with site.start() as daemon:
        for command, told in (("check-config", "stderr"), ("doctor", "stdout")):
            done = site.attempt(command)
            assert done.returncode != 0
            assert sentence in getattr(done, told)
            assert "Traceback" not in done.stderr
        assert site.attempt("status").returncode == ExitCode.UNFINISHED
        daemon.stop()
    assert radio.documents == []


def test_a_removed_network_that_the_config_file_names_is_no_trap(site: Site, radio: Radio) -> None:
    """The next start works, and so does the network that is put in its place."""
    with site.start() as daemon:
        until(lambda: is_in(daemon), daemon)
        told = site.run("network", "remove", "lab", "--yes").stderr
        assert "The config file names it (installer[0].network)" in told
        until(lambda: state(daemon)["state"] == "failed", daemon)
        daemon.stop()
    with site.start() as daemon:
        site.run("network", "add", "lab", "--network-id", "cafe", "--prefix", "fd00:2::/64")
        until(lambda: is_in(daemon), daemon)
        daemon.stop()
    assert len(radio.documents) == 2


def test_check_config_knows_the_network_of_the_join_proxy(site: Site) -> None:
    """As those of installers."""
    with site.config.open("a") as config:
        config.write('\n[proxy]\ninterface = "lo"\njrc = "[::1]:5683"\nnetwork = "lav"\n')
    done = site.attempt("check-config")
    assert done.returncode == ExitCode.FAILED
    assert "proxy.network: there is no network 'lav'; did you mean lab?" in done.stderr


def test_the_network_of_the_join_proxy_is_waited_for_as_an_installers(site: Site) -> None:
    """Status, check-config, doctor and a removal's plan name it; no restart when it has come."""
    with site.config.open("a") as config:
        config.write('\n[proxy]\ninterface = "none0"\njrc = "[::1]:5683"\nnetwork = "lav"\n')
    sentence = "there is no network 'lav'; did you mean lab?"
    with site.start() as daemon:
        for command, told in (("check-config", "stderr"), ("doctor", "stdout")):
            done = site.attempt(command)
            assert done.returncode == ExitCode.FAILED
            assert f"proxy.network: {sentence}" in getattr(done, told)
        done = site.attempt("status")
        assert (done.returncode, sentence in done.stdout) == (ExitCode.UNFINISHED, True)
        site.run("network", "add", "lav", "--network-id", "beef", "--prefix", "fd00:2::/64")
        until(lambda: proxy(daemon)["network"] == "lav", daemon)
        site.run("status")
        told = site.run("network", "remove", "lav", "--yes").stderr
        assert "The config file names it (proxy.network)" in told
        until(lambda: proxy(daemon)["waits_for_network"] == "lav", daemon)
        daemon.stop()


def proxy(daemon: Daemon) -> dict[str, Any]:
    """What the status says of the Join Proxy."""
    found: Any = daemon.api("GET", "/v1/status")["proxy"]
    return dict(found)


def test_check_config_changes_nothing_and_sees_a_program_that_can_not_be_run(
    site: Site, radio: Radio
) -> None:
    """Missing, or not executable."""
    before = site.folder.stat().st_mtime_ns
    assert "is in order" in site.run("check-config").stdout
    assert site.folder.stat().st_mtime_ns == before, "no file came or went in between"
    (radio.folder / "set-keys").chmod(0o600)
    done = site.attempt("check-config")
    assert done.returncode == ExitCode.FAILED
    assert "installer[0].command: " in done.stderr
    assert "is no program that can be run" in done.stderr


def test_a_radio_of_this_host_that_is_not_there_is_waited_for(site: Site, radio: Radio) -> None:
    """One clear sentence at the start, in the status and on request; joins go on."""
    site.change(
        'kind = "exec"\ncommand = ["./radio/set-keys"]', 'kind = "linux"\ninterface = "none0"'
    )
    done = site.run("check-config")
    assert "none0 is not there; it gets its keys when it comes" in done.stdout + done.stderr
    assert "never tried with a radio" in done.stdout + done.stderr
    with site.start() as daemon:
        until(lambda: bool(state(daemon, "lab/linux")["error"]), daemon)
        error = state(daemon, "lab/linux")["error"]
        assert error.count("; ") == 1
        assert "IEEE 802.15.4" in error or "namespace" in error or "not there" in error
        done = site.attempt("network", "install", "lab")
        assert done.returncode == ExitCode.UNFINISHED
        with Wire(daemon.address) as wire:
            assert wire.join(daemon.enroll().pledge()).keys
        daemon.stop()


def test_check_config_reads_names_beside_a_daemon(site: Site, radio: Radio) -> None:
    """Networks that are in the write-ahead log yet, and in no other file."""
    with site.start() as daemon:
        site.run("network", "add", "hall", "--network-id", "beef", "--prefix", "fd00:2::/64")
        site.change('network = "lab"', 'network = "hall"')
        assert "is in order" in site.run("check-config").stdout
        daemon.stop()


def test_keys_are_on_the_programs_stdin_and_nowhere_else(site: Site, radio: Radio) -> None:
    """RFC 9031 §9: no argument, environment, log, status or database, although it spills them."""
    radio.set("broken", True)  # so that it prints the document as its error
    radio.set("held", True)
    places: dict[str, bytes] = {}
    with site.start() as daemon:
        until(lambda: len(radio.documents) == 1, daemon)
        places |= dict(_processes())
        radio.set("held", False)
        until(lambda: state(daemon)["state"] == "failed", daemon)
        assert "withheld" in state(daemon)["error"]
        places["status"] = json.dumps(daemon.api("GET", "/v1/status")).encode()
        places["metrics"] = daemon.get("/metrics").content
        for words in (("network", "show", "lab"), ("events",), ("network", "install", "lab")):
            done = site.attempt(*words)
            places[" ".join(words)] = (done.stdout + done.stderr).encode()
        places |= dict(_files(site))
        daemon.stop()
        places["log"] = "".join(daemon.log).encode()
    places |= dict(_files(site))
    places["what it was shown"] = (radio.folder / "shown").read_bytes()
    assert b"JRC_NETWORK=lab" in places["what it was shown"]
    keys = {key["value"]: bytes.fromhex(key["value"]) for key in radio.documents[0]["keys"]}
    assert leaks({"link-layer key": next(iter(keys.values()))}, places) == []
    assert leaks(
        {"key": next(iter(keys.values()))}, {"stdin": (radio.folder / "taken.all").read_bytes()}
    )


def _processes() -> Iterator[tuple[str, bytes]]:
    """Arguments and environments of every process that this user may look at."""
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                yield f"{process}/{name}", (process / name).read_bytes()
            except OSError:
                continue


def _files(site: Site) -> Iterator[tuple[str, bytes]]:
    for path in site.folder.iterdir():
        if path.is_file() and path.name != "kek":
            yield path.name, path.read_bytes()


def test_two_installers_of_a_network_run_side_by_side(site: Site, radio: Radio) -> None:
    """Two border routers; the one that fails does not hold the other up."""
    with site.config.open("a") as config:
        config.write(SECTION.replace("./radio/set-keys", "/bin/false") + 'name = "south"\n')
    with site.start() as daemon:
        until(lambda: is_in(daemon), daemon)
        told: Any = daemon.api("GET", "/v1/status")["installers"]
        assert list(told) == ["lab/exec", "lab/south"]
        until(lambda: "failed" in str(daemon.api("GET", "/v1/status")), daemon)
        done = site.attempt("network", "install", "lab", "--json")
        found = json.loads(done.stdout)["installers"]
        assert [(each["installer"], each["installed"]) for each in found] == [
            ("exec", True),
            ("south", False),
        ]
        assert done.returncode == ExitCode.UNFINISHED
        daemon.stop()
