"""`jrc doctor` beside a running daemon, a stopped one, and one that is not well."""

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from jrc import __version__
from jrc.admin.server import SOCKET_MODE
from jrc.cli.diagnosis import service
from jrc.cli.diagnosis.case import Daemon
from jrc.cli.diagnosis.course import CHECKS
from jrc.cli.diagnosis.verdict import Finding, examine
from jrc.config import Endpoint, parse
from jrc.errors import ExitCode, OperatorError
from tests.cli.examined import (
    FAILURE,
    SKIPPED,
    SUCCESS,
    WARNING,
    FixedClock,
    case_of,
    findings,
    one,
    statuses,
)
from tests.cli.terminal import PSK, Terminal, free_port


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """A registrar with a metrics port and its daemon."""
    terminal = Terminal(tmp_path_factory.mktemp("jrc"))
    terminal.init()
    text = terminal.config.read_text()
    terminal.config.write_text(f'{text}\n[metrics]\nlisten = "127.0.0.1:{free_port()}"\n')
    with terminal.daemon() as daemon:
        terminal.pid = daemon.pid  # type: ignore[attr-defined]
        yield terminal


@pytest.fixture
def stopped(tmp_path: Path) -> Terminal:
    """A registrar without a daemon."""
    terminal = Terminal(tmp_path / "registrar")
    terminal.init()
    return terminal


def test_what_a_daemon_has_open_is_told_by_the_daemon(running: Terminal) -> None:
    """One process works on the database, and its lock is not tried."""
    for name in ("database", "instance_file", "admin_socket"):
        found = one(running, name)
        assert found.status is SUCCESS, found
    assert "the daemon (process" in one(running, "database").what


def test_ports_that_the_daemon_holds_are_in_order(running: Terminal) -> None:
    """UDP and TCP, each with the daemon's process."""
    for found in findings(case_of(running), "ports"):
        assert found.status is SUCCESS
        assert f"held by the daemon (process {running.pid})" in found.what  # type: ignore[attr-defined]


def test_a_daemon_that_answers_joins_is_in_order(running: Terminal) -> None:
    """Its status, and /readyz on the metrics port."""
    daemon, readiness = findings(case_of(running), "daemon")
    assert (daemon.status, readiness.status) == (SUCCESS, SUCCESS)
    assert __version__ in daemon.what
    assert readiness.what.endswith("/readyz answers 200")


def test_a_config_file_that_was_changed_since_the_start_is_seen(
    running: Terminal, tmp_path: Path
) -> None:
    """The daemon holds other ports than the file names; what it holds is not restarted."""
    changed = Terminal(running.folder)
    changed.config = running.folder / "changed.toml"
    metrics = case_of(running).asked.settings().metrics
    assert metrics is not None
    port = place_of(running).port
    text = running.config.read_text().replace(f":{port}", f":{free_port()}")
    changed.config.write_text(text.replace(f":{metrics.listen.port}", f":{free_port()}"))
    assert [WARNING, WARNING] == statuses(changed, "ports")
    assert "restart it" in findings(case_of(changed), "ports")[0].hint
    daemon, readiness = findings(case_of(changed), "daemon")
    assert (daemon.status, readiness.status) == (SUCCESS, FAILURE)


def test_a_port_that_another_took_beside_the_daemon_fails(running: Terminal) -> None:
    """The file names a port that this process has."""
    changed = Terminal(running.folder)
    changed.config = running.folder / "taken.toml"
    place = place_of(running)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as occupier:
        occupier.bind(("::1", 0))
        port = occupier.getsockname()[1]
        changed.config.write_text(running.config.read_text().replace(f":{place.port}", f":{port}"))
        found = findings(case_of(changed), "ports")[0]
    assert found.status is FAILURE
    assert f"process {os.getpid()} (" in found.what


def place_of(terminal: Terminal) -> Endpoint:
    """Where its config file has it listen."""
    (place,) = case_of(terminal).asked.settings().coap.listen
    return place


def test_a_clock_behind_the_daemons_database_fails(running: Terminal) -> None:
    """The daemon tells the latest time that its database has seen."""
    case = case_of(running)
    case.clock = FixedClock(1_700_000_000_000)
    assert FAILURE in [finding.status for finding in findings(case, "clock")]


def test_another_instance_file_fails(running: Terminal) -> None:
    """The daemon has one database open, and the file is another's."""
    changed = Terminal(running.folder)
    changed.config = running.folder / "instance.toml"
    other = running.folder / "other.instance"
    other.write_text('{"epoch": "00", "commit_number": 1}')
    text = running.config.read_text()
    changed.config.write_text(text.replace("jrc.instance", other.name))
    assert one(changed, "instance_file").status is FAILURE


def test_a_socket_that_everybody_may_use_is_a_warning(running: Terminal) -> None:
    """Mode 0666 in place of 0660, with the command that mends it."""
    path = running.folder / "admin.sock"
    path.chmod(0o666)
    try:
        found = one(running, "admin_socket")
    finally:
        path.chmod(SOCKET_MODE)
    assert (found.status, found.hint) == (WARNING, f"run: chmod 660 {path}")
    assert 0o660 == stat.S_IMODE(path.stat().st_mode)


# A Join Proxy's config file


def test_a_join_proxy_without_a_registrar_is_looked_at_as_such(tmp_path: Path) -> None:
    """`jrc proxy` has neither database nor admin socket; its metrics port is asked."""
    terminal = Terminal(tmp_path)
    key = tmp_path / "proxy.psk"
    key.write_text(PSK)
    key.chmod(0o600)
    text = f'[proxy]\ninterface = "lo"\njrc = "[::1]:9"\npledge_id = "01"\npsk_file = "{key}"\n'
    terminal.config.write_text(text)
    found = {each.name: each.status for each in findings_of_all(terminal)}
    for name in ("disk", "key", "database", "instance_file", "ports", "admin_socket", "daemon"):
        assert found[name] is SKIPPED, name
    assert (found["config"], found["proxy"]) == (SUCCESS, SUCCESS)
    key.chmod(0o644)
    assert one(terminal, "proxy").status is FAILURE
    terminal.config.write_text(f'{text}[metrics]\nlisten = "127.0.0.1:{free_port()}"\n')
    daemon = one(terminal, "daemon")
    assert (daemon.status, "jrc proxy" in daemon.hint) == (FAILURE, True)


def findings_of_all(terminal: Terminal) -> list[Finding]:
    return list(examine(case_of(terminal), CHECKS))


# Not well


def test_a_stopped_daemon_is_a_warning_that_says_how_to_start_it(stopped: Terminal) -> None:
    """Before the first start that is as it should be."""
    found = one(stopped, "daemon")
    assert found.status is WARNING
    assert f"jrc --config {stopped.config} run" in found.hint
    assert one(stopped, "admin_socket").status is SUCCESS


def test_a_killed_daemon_is_a_stopped_one(stopped: Terminal) -> None:
    """Its socket is left behind, and nobody answers on it."""
    with stopped.daemon() as daemon:
        daemon.kill()
        daemon.wait(timeout=90)
        assert (stopped.folder / "admin.sock").is_socket()
        assert one(stopped, "daemon").status is WARNING
        assert one(stopped, "ports").status is SUCCESS
        assert one(stopped, "database").status is SUCCESS


def test_a_daemon_that_does_not_answer_fails(
    stopped: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody accepts connections and says nothing."""
    monkeypatch.setattr("jrc.cli.client._STATUS_WITHIN_S", 0.05)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as mute:
        mute.bind(str(stopped.folder / "admin.sock"))
        mute.listen()
        assert one(stopped, "admin_socket").status is FAILURE
        assert one(stopped, "daemon").status is SKIPPED
        assert one(stopped, "ports").status is WARNING


def test_a_daemon_that_this_user_may_not_talk_to_fails() -> None:
    """With whom to become."""
    refused = OperatorError("this user may not talk to the daemon", "become a member")
    assert Daemon(None, refused).runs
    assert not Daemon().runs


@pytest.mark.parametrize(
    ("status", "expected", "said"),
    [
        ({"ready": False, "why": "the disk is full"}, FAILURE, "the disk is full"),
        ({"ready": False}, FAILURE, "does not say why"),
        ({"ready": True, "version": "0.0.1"}, WARNING, "version 0.0.1"),
        ({"ready": True, "version": __version__}, SUCCESS, "answers joins"),
    ],
)
def test_the_daemons_word_is_judged(status: dict[str, object], expected: object, said: str) -> None:
    """Ready, and of this version."""
    verdict = service.judge_daemon(Daemon({"pid": 1, **status}))
    assert verdict.status is expected
    assert said in verdict.what


def test_a_join_proxy_that_waits_fails_with_what_it_waits_for() -> None:
    """It runs inside the daemon, whose status tells."""
    (waiting,) = service.judge_proxy({"why": "no interface lowpan0", "listening": None})
    assert (waiting.status, "lowpan0" in waiting.what) == (FAILURE, True)
    (serving,) = service.judge_proxy({"why": None, "listening": "[fe80::1%lowpan0]:5683"})
    assert serving.status is SUCCESS
    assert [] == list(service.judge_proxy({}))


def test_a_file_in_the_sockets_place_fails(stopped: Terminal) -> None:
    """The daemon would refuse to start."""
    (stopped.folder / "admin.sock").write_text("")
    assert one(stopped, "admin_socket").status is FAILURE


def test_a_missing_folder_of_the_socket_fails_or_is_the_units_to_make(stopped: Terminal) -> None:
    """Under /run a unit's RuntimeDirectory= makes it when the service starts."""
    text = stopped.config.read_text()
    stopped.config.write_text(text.replace("admin.sock", "gone/admin.sock"))
    found = one(stopped, "admin_socket")
    assert (found.status, found.hint) == (FAILURE, f"run: mkdir {stopped.folder / 'gone'}")
    missing = str(stopped.folder / "admin.sock")
    stopped.config.write_text(text.replace(missing, "/run/jrc-that-is-not-here/admin.sock"))
    assert one(stopped, "admin_socket").status is WARNING


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_not_writable_fails(stopped: Terminal) -> None:
    """The daemon could not make its socket."""
    text = stopped.config.read_text()
    (stopped.folder / "closed").mkdir(mode=0o500)
    stopped.config.write_text(text.replace("admin.sock", "closed/admin.sock"))
    assert one(stopped, "admin_socket").status is FAILURE


def test_a_privilege_is_asked_for_only_where_something_needs_it(
    stopped: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Link-layer keys of a local radio need CAP_NET_ADMIN (capabilities(7))."""
    assert one(stopped, "rights").status is SUCCESS
    text = '[[installer]]\nnetwork = "lab"\nkind = "linux"\ninterface = "wpan0"\n'
    case = case_of(stopped)
    case.settings = parse(text, path=str(stopped.config))
    monkeypatch.setattr(service, "_has", lambda _pid, _capability: False)
    (found,) = service.look_at_rights(case)
    assert (found.status, "CAP_NET_ADMIN" in found.hint) == (FAILURE, True)
    monkeypatch.setattr(service, "_has", lambda _pid, _capability: True)
    (found,) = service.look_at_rights(case)
    assert found.status is SUCCESS


def test_capabilities_are_read_from_the_kernel() -> None:
    """CAP_NET_ADMIN is root's here or nobody's, and bit 63 is no capability at all."""
    assert not service._has(os.getpid(), 63)
    text = Path("/proc/self/status").read_text()
    (effective,) = (line.split()[1] for line in text.splitlines() if line.startswith("CapEff"))
    expected = bool(int(effective, 16) >> 12 & 1)
    assert expected is service._has(os.getpid(), service._CAP_NET_ADMIN)


def test_status_tells_the_latest_time_of_the_database(running: Terminal) -> None:
    """`jrc doctor` compares the clock with it."""
    found = running.process("status", "--json")
    assert found.code == ExitCode.DONE
    assert found.json["clock_high_water_ms"] > 1_700_000_000_000
