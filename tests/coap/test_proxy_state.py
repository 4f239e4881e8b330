"""What the proxy as a node must never forget (RFC 9031 §7.3.1, RFC 8613 App. B.1)."""

import json
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from jrc.coap.proxy_state import NodeState, read_psk
from jrc.cojp.constants import NUMBERS_EPOCH_S
from jrc.errors import ExitCode, OperatorError, StateError
from jrc.model import PledgeId, Secret

PLEDGE = bytes.fromhex("00124b0014b5b6ff")
PSK = Secret(bytes.fromhex("8c1d5f0ba7e34296d8317cb05efa6921"))
NOW_S = NUMBERS_EPOCH_S + 1000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "proxy.state"


def reopened(path: Path, before: NodeState | None = None) -> NodeState:
    """As after a kill: nothing of the former process is left but the file."""
    if before is not None:
        before.close()
    return NodeState.open(path, PLEDGE, PSK)


def test_b04_numbers_start_at_the_clock_and_none_is_used_twice(path: Path) -> None:
    """Neither over restarts nor after the file was lost (RFC 8613 §7.5, App. B.1.1)."""
    state, used, now_s = reopened(path), [], NOW_S
    for turn in range(30):
        now_s += state.wait_s(now_s)
        used.append(state.take(now_s))
        if turn % 7 == 6:
            path.unlink()
            now_s += 1
        state = reopened(path, state)
    state.close()
    assert used[0] == 1000
    assert len(set(used)) == len(used)
    assert used == sorted(used)


def test_b04_a_number_is_on_disk_before_it_is_given(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Synced file, renamed, synced folder (RFC 9031 §7.3.1)."""
    calls: list[str] = []
    sync, replace = os.fsync, os.replace

    def noted(name: str, call: Callable[..., None]) -> Callable[..., None]:
        def run(*arguments: object) -> None:
            calls.append(name)
            call(*arguments)

        return run

    monkeypatch.setattr(os, "fsync", noted("sync", sync))
    monkeypatch.setattr(os, "replace", noted("replace", replace))
    state = reopened(path)
    state.take(NOW_S)
    state.close()
    assert calls == ["sync", "replace", "sync"]
    assert json.loads(path.read_text())["reserved"] == 1001


def test_b04_a_file_that_can_not_be_written_gives_no_number(path: Path) -> None:
    """The number counts as used by nobody, and the next try gives it (RFC 9031 §7.3.1)."""
    state = reopened(path)
    path.with_name(path.name + ".new").mkdir()
    with pytest.raises(OperatorError, match="can't be written"):
        state.take(NOW_S)
    path.with_name(path.name + ".new").rmdir()
    assert state.take(NOW_S) == 1000
    state.close()


def test_b04_a_clock_that_went_back_gives_no_number(path: Path) -> None:
    """What was seen of it before is remembered (``replay.reserve``)."""
    state = reopened(path)
    state.take(NOW_S)
    state = reopened(path, state)
    with pytest.raises(OperatorError, match="clock"):
        state.take(NOW_S - 1)
    state.close()


def test_b04_numbers_do_not_run_ahead_of_the_clock(path: Path) -> None:
    """So that a lost file is begun anew above all that were used."""
    state = reopened(path)
    state.take(NOW_S)
    assert state.wait_s(NOW_S) == 1
    with pytest.raises(StateError):
        state.take(NOW_S)
    assert state.take(NOW_S + 1) == 1001
    state.close()


def test_b03_the_window_outlives_the_process(path: Path) -> None:
    """RFC 9031 §7.3.1: each update of the window is written."""
    state = reopened(path)
    assert state.window is None
    state.accept(7)
    state.accept(40)
    state = reopened(path, state)
    assert state.window is not None
    assert state.window.highest == 40
    assert [39] == [n for n in (7, 8, 39, 40) if state.window.is_fresh(n)]
    state.accept(39)
    with pytest.raises(StateError):
        state.accept(39)
    state = reopened(path, state)
    assert state.window is not None
    assert not state.window.is_fresh(39)
    assert not state.is_new
    state.close()


def test_b07_the_first_number_after_the_window_was_lost_is_its_lower_limit(path: Path) -> None:
    """Whatever the registrar sent before may be a replay (RFC 8613 App. B.1.2)."""
    state = reopened(path)
    state.accept(100)
    assert state.window is not None
    assert [101] == [number for number in range(102) if state.window.is_fresh(number)]
    state.close()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"check": 1}', b"\xff\xfe", b"[" * 5000],
)
def test_a_damaged_file_is_refused_and_left_alone(path: Path, content: bytes) -> None:
    """It tells which numbers were used; what to do is said."""
    path.write_bytes(content)
    with pytest.raises(OperatorError, match="damaged") as refused:
        reopened(path)
    assert "delete the file" in refused.value.hint
    assert path.read_bytes() == content


@pytest.mark.parametrize("field", ["reserved", "high_water_s", "window", "mark", "format"])
def test_an_edited_file_is_refused(path: Path, field: str) -> None:
    """Each field is covered by the check."""
    state = reopened(path)
    state.take(NOW_S)
    state.close()
    fields = json.loads(path.read_text())
    path.write_text(json.dumps({**fields, field: [1, 1] if field == "window" else 2}))
    with pytest.raises(OperatorError, match="damaged"):
        reopened(path)


@pytest.mark.parametrize(("pledge", "psk"), [(PLEDGE, Secret(b"k" * 16)), (b"other", PSK)])
def test_the_file_of_another_credential_is_refused(path: Path, pledge: bytes, psk: Secret) -> None:
    """Its window says nothing of these keys."""
    state = reopened(path)
    state.take(NOW_S)
    state.close()
    with pytest.raises(OperatorError, match="another identifier or key"):
        NodeState.open(path, pledge, psk)


def test_b04_two_processes_can_not_have_it_at_once(path: Path) -> None:
    """They would use one number twice."""
    state = reopened(path)
    with pytest.raises(OperatorError, match="another process") as refused:
        reopened(path)
    assert refused.value.exit_code is ExitCode.REFUSED
    state.close()
    reopened(path).close()


def test_the_file_holds_no_key_and_is_for_its_owner_alone(path: Path) -> None:
    """A digest under the key tells whose it is."""
    state = reopened(path)
    state.take(NOW_S)
    state.close()
    assert PSK.reveal().hex() not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_is_read_from_a_private_file(tmp_path: Path) -> None:
    """In hex, with an end of line."""
    file = tmp_path / "psk"
    file.write_text(PSK.reveal().hex() + "\n")
    file.chmod(0o600)
    assert read_psk(file, PledgeId(PLEDGE)) == PSK


@pytest.mark.parametrize(
    ("content", "mode", "sentence"),
    [
        (None, 0o600, "can't be read"),
        ("00" * 16, 0o644, "can be read by others"),
        ("5b" * 15, 0o600, "the PSK has 15 bytes, and 16 to 64 are needed"),
        ("0" * 32, 0o600, "the PSK is weak: all its bytes are equal"),
        ("00124b0014b5b6ff" * 2, 0o600, "the PSK is weak: a short block of bytes is repeated"),
        (sha256(PLEDGE).hexdigest(), 0o600, "the PSK is weak: it is a hash of the identifier"),
        ("no hex", 0o600, "does not hold a key of 16 bytes"),
        ("\u00e9", 0o600, "does not hold a key"),
    ],
)
def test_a_key_that_is_of_no_use_is_refused(
    tmp_path: Path, content: str | None, mode: int, sentence: str
) -> None:
    """As `pledge add` does; with the setting's name, and never the content (RFC 9031 §3, §9)."""
    file = tmp_path / "psk"
    if content is not None:
        file.write_text(content)
        file.chmod(mode)
    with pytest.raises(OperatorError, match=sentence) as refused:
        read_psk(file, PledgeId(PLEDGE))
    assert refused.value.message.startswith("proxy.psk_file: ")
    assert content is None or content not in refused.value.message
