"""Key files: 64 hex digits, for their owner alone."""

import stat
from pathlib import Path

import pytest

from jrc.errors import OperatorError
from jrc.model import Secret
from jrc.store.keyfile import KeyMissingError, key_text, new_key, paper_text, read_key, write_key

KEY = Secret(bytes(range(32)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A good file."""
    path = tmp_path / "kek"
    path.write_text(key_text(new_key(lambda count: bytes(range(count)))))
    path.chmod(0o600)
    return path


def test_a_fresh_file_is_read(path: Path) -> None:
    """64 digits, with or without what editors add."""
    assert KEY == read_key(path)
    path.write_text(f"  {KEY.reveal().hex().upper()}\r\n\n")
    assert KEY == read_key(path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o601])
def test_a_file_that_others_may_touch_is_refused(path: Path, mode: int) -> None:
    """With the command that mends it."""
    path.chmod(mode)
    with pytest.raises(OperatorError, match=f"mode {mode:04o}") as caught:
        read_key(path)
    assert f"run: chmod 600 {path}" == caught.value.hint


@pytest.mark.parametrize("content", [b"", b"00" * 31, b"00" * 33, b"xy" * 32, b"\xff" * 64])
def test_a_file_that_holds_something_else_is_refused(path: Path, content: bytes) -> None:
    """What it holds is not repeated."""
    path.write_bytes(content)
    with pytest.raises(OperatorError, match="64 hex digits") as caught:
        read_key(path, setting="keys.credential")
    assert caught.value.message.startswith("keys.credential: ")
    assert not content or content.decode("latin1") not in caught.value.message


def test_a_missing_file_is_named(path: Path) -> None:
    """And one below a file."""
    path.unlink()
    with pytest.raises(KeyMissingError, match="does not exist"):
        read_key(path)
    path.touch()
    with pytest.raises(OperatorError, match="can't be read"):
        read_key(path / "kek")


def test_a_key_copied_from_paper_is_read(path: Path) -> None:
    """Groups of eight digits, on one line or several, as a person writes them down."""
    text = paper_text(KEY)
    assert ["00010203", "1c1d1e1f"] == [text.split("-")[0], text.split("-")[-1]]
    path.write_text(text.upper().replace("-", "\n"))
    assert KEY == read_key(path)
    path.write_text(text + "\n")
    assert KEY == read_key(path)


def test_a_new_file_is_private_and_overwrites_nothing(tmp_path: Path) -> None:
    """Mode 0600 whatever the umask is."""
    path = tmp_path / "new"
    write_key(path, key_text(KEY))
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert KEY == read_key(path)
    with pytest.raises(OperatorError, match="exists; nothing was overwritten"):
        write_key(path, key_text(new_key()))
    assert KEY == read_key(path)
    with pytest.raises(OperatorError, match="can't be made"):
        write_key(path / "below", key_text(KEY))
