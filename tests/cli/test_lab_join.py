"""``jrc lab join``: simulated devices with real keys join, stay, and follow a rollover."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jrc.config import Endpoint, parse
from jrc.errors import OperatorError
from tests import forked
from tests.cli.terminal import Terminal, environment, free_port
from tests.forked import Forked

_COUNT = 3
_GUARD_S = 1
"""As short as the daemon takes it; nodes keep their own of RFC 9031 §8.5."""


@pytest.fixture
def site(tmp_path: Path) -> Terminal:
    """A registrar with a 6LBR and two nodes, which are simulated; their keys are in two forms."""
    terminal = Terminal(tmp_path / "registrar")
    terminal.init()
    with terminal.config.open("a") as config:
        config.write(f"[rollover]\nguard_time_s = {_GUARD_S}\n")
        config.write(f'[lab]\nnodes = "[::1]:{free_port()}"\n')
    prefix = ("--prefix", "2001:db8:0:1::/64")
    assert terminal.jrc("network", "add", "lab", "--network-id", "cafe", *prefix).code == 0
    for form, count, role in (("cose", 1, "6lbr"), ("yaml", _COUNT - 1, "6ln")):
        file = str(tmp_path / f"keys.{form}")
        words = ("--count", str(count), "--role", role, "--format", form, "--out", file)
        assert terminal.jrc("pledge", "generate", *words).code == 0
        assert terminal.jrc("pledge", "import", file).code == 0
    return terminal


def files_of(site: Terminal) -> list[str]:
    """Where the devices have their keys from."""
    return [str(site.folder.parent / f"keys.{form}") for form in ("yaml", "cose")]


@contextmanager
def joining(site: Terminal) -> Iterator[Forked]:
    """The command, until the devices have joined; ended by SIGTERM."""
    words = site.command("lab", "join", *files_of(site), "--network-id", "cafe")[2:]
    process = forked.piped(*words, environ=environment())
    assert process.stdout is not None
    with process.stdout as shown:
        said = []
        for line in shown:
            said.append(line)
            if "they stay" in line:
                break
        else:
            raise AssertionError("".join(said))
        yield process
        process.terminate()
        shown.read()
        assert process.wait(timeout=90) == 0


def test_devices_of_an_import_file_join_and_follow_a_rollover(site: Terminal) -> None:
    """Over UDP on loopback; who joins anew has numbers that the registrar has not seen."""
    with site.daemon(), joining(site) as crowd:
        assert crowd.stdout is not None
        wait = ("--yes", "--wait", "--timeout", "60s")
        done = site.jrc("rollover", "start", "lab", *wait)
        assert done.code == 0, done.out + done.err
        assert crowd.stdout.readline() == f"all {_COUNT} nodes send with key 2\n"
        listed = site.jrc("pledge", "list", "--json").json
        assert ["joined"] * _COUNT == [each["state"] for each in listed]
        again = site.jrc("lab", "join", *files_of(site), "--network-id", "cafe", "--once")
        assert again.code == 0, again.out + again.err
        assert f"all {_COUNT} joined" in again.out


def test_a_device_that_fails_to_join_is_told_by_the_exit_code(site: Terminal) -> None:
    """In another network's beacons nobody finds what is his."""
    with site.daemon():
        done = site.jrc("lab", "join", *files_of(site), "--network-id", "beef", "--once")
    assert done.code == 1
    assert done.err.count("refused: 4.00") == _COUNT


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("pledge_id,psk\n", "has no device"),
        ("pledge_id,psk\n0200000000000001,\n", "line 2, psk: the row has no key"),
        ("pledge_id,psk\nx,00\n", "line 2, pledge_id"),
    ],
)
def test_a_file_that_is_no_import_file_is_told_by_its_line(
    site: Terminal, text: str, sentence: str
) -> None:
    """Nothing is sent then."""
    file = site.folder / "wrong.csv"
    file.write_text(text)
    file.chmod(0o600)
    done = site.jrc("lab", "join", str(file), "--network-id", "cafe")
    assert done.code == 1
    assert sentence in done.err


def test_updates_for_simulated_nodes_never_leave_the_host() -> None:
    """What is no loopback address is refused as the config file is read."""
    assert parse('[lab]\nnodes = "[::1]:5690"\n').lab.nodes == Endpoint("::1", 5690)
    with pytest.raises(OperatorError, match="must be an address of loopback"):
        parse('[lab]\nnodes = "[2001:db8::1]:5690"\n')
