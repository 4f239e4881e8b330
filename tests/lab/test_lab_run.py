"""``jrc lab run``: the whole demonstration as a person starts it, and how it ends."""

import json
import signal
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from jrc.cli import lab_demo, lab_registrar
from jrc.errors import OperatorError
from jrc.lab import demo
from jrc.lab.network import JoinResult
from tests.forked import CHECKOUT
from tests.lab.daemon import JRC, jrc


def is_running(folder: Path) -> bool:
    """Whether a registrar of this folder is there; its command line names the config file."""
    marker = str(folder / "config.toml").encode()
    return any(marker in command_line(path) for path in Path("/proc").glob("[0-9]*/cmdline"))


def command_line(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # it has ended meanwhile


def test_once_ends_after_the_joins_and_keeps_the_folder_that_was_given(tmp_path: Path) -> None:
    """Not on a terminal it prints plain lines; the exit code is 0 if all have joined."""
    folder = tmp_path / "lab"
    output = jrc("lab", "run", "--once", "--pledges", "3", "--dir", str(folder)).splitlines()
    assert output[-1] == "all 3 joined, with the same link-layer keys and a short address each"
    assert [text.split()[0] for text in output[2:5]] == [
        device.identifier.hex() for device in demo.make_devices(3, bytes)
    ]
    assert all(text.endswith("joined") and text.isascii() for text in output[2:5])
    assert not is_running(folder)
    pledges = json.loads(jrc("--config", str(folder / "config.toml"), "pledge", "list", "--json"))
    assert [(pledge["state"], pledge["label"]) for pledge in pledges] == [
        ("joined", f"simulated {number}") for number in (1, 2, 3)
    ]
    assert not (folder / "pledges.jsonl").exists()


def said(commands: list[str], end: str) -> str:
    """What the printed command says that ends so."""
    (command,) = (each for each in commands if each.endswith(end))
    done = subprocess.run(
        command, shell=True, check=True, capture_output=True, cwd=CHECKOUT, text=True
    )
    return done.stdout


def see_page(link: str) -> None:
    """It is there, and the link opens it."""
    origin, _, key = link.partition("/#key=")
    assert "<html" in httpx.get(origin, trust_env=False).text
    opened = httpx.post(f"{origin}/page/session", json={"key": key}, trust_env=False)
    assert 200 == opened.status_code


def test_ctrl_c_stops_a_registrar_that_keeps_running(tmp_path: Path) -> None:
    """The commands that are printed work as they stand; one Ctrl-C ends it all, with code 0."""
    folder = tmp_path / "lab"
    words = [*JRC, "lab", "run", "--pledges", "2", "--dir", str(folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT) as shown:
        try:
            assert shown.stdout is not None
            commands = []
            for text in shown.stdout:
                if text.startswith("  "):
                    commands.append(text.strip())
                if "Ctrl-C stops it" in text:
                    break
            assert is_running(folder)
            assert "joined 2" in said(commands, " status")
            see_page(said(commands, " page").splitlines()[0])
        finally:
            shown.send_signal(signal.SIGINT)
        assert shown.wait(30) == 0
    assert not is_running(folder)


def test_a_folder_with_a_registrar_in_it_is_left_alone(tmp_path: Path) -> None:
    """``jrc init`` refuses to overwrite, and that is what is told."""
    (tmp_path / "config.toml").write_text("# mine\n")
    with pytest.raises(OperatorError) as error:
        lab_demo.demonstrate(1, tmp_path, once=True)
    assert "config.toml" in error.value.hint
    assert (tmp_path / "config.toml").read_text() == "# mine\n"


def test_a_pledge_that_fails_is_told_by_the_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With one join missing, ``--once`` ends with 1 and names the pledge."""
    join_pledges = demo.join_pledges

    async def lossy(*arguments: object) -> list[JoinResult]:
        first, *others = await join_pledges(*arguments)  # type: ignore[arg-type]
        return [JoinResult(first.pledge_id, None, 46.5, 5), *others]

    monkeypatch.setattr(demo, "join_pledges", lossy)
    assert lab_demo.demonstrate(2, tmp_path / "lab", once=True) == 1
    assert "fault: 0200000000000001: no answer to 5 requests" in capsys.readouterr().err


def test_a_registrar_that_does_not_start_is_told_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log's end is in the hint, and nothing is left running."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as occupier:
        occupier.bind(("::1", 0))
        monkeypatch.setattr(lab_registrar, "_free_port", lambda: occupier.getsockname()[1])
        with pytest.raises(OperatorError, match="did not start") as error:
            lab_demo.demonstrate(1, tmp_path / "lab", once=True)
    assert "its log ends" in error.value.hint
    assert not is_running(tmp_path / "lab")


def test_other_commands_do_not_load_what_the_lab_needs() -> None:
    """aiocoap is loaded when the lab runs and by nothing else of the command line."""
    question = "import sys, jrc.cli.tree; sys.exit('aiocoap' in sys.modules)"
    assert subprocess.run([JRC[0], "-c", question], check=False, cwd=CHECKOUT).returncode == 0
