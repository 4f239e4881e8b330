"""Files with keys: all or none, on disk, for their owner alone."""

import os
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jrc.errors import OperatorError
from jrc.provision import writing
from jrc.provision.writing import NewFile, publish


def tree(folder: Path) -> dict[str, str]:
    """Every file below the folder, hidden ones as well."""
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def pair(folder: Path, text: str = "new") -> list[NewFile]:
    return [NewFile(folder / "keys" / "a.h", text), NewFile(folder / "pledges.csv", text)]


@pytest.fixture(params=[0o000, 0o077, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a shell may have set."""
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_files_are_for_their_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    """0600, and 0700 for a folder that was made for them; also where a file was open to all."""
    (tmp_path / "pledges.csv").touch()
    (tmp_path / "pledges.csv").chmod(0o666)
    publish(pair(tmp_path), overwrite=True)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert {"keys": 0o700, "a.h": 0o600, "pledges.csv": 0o600} == modes


def test_a_file_that_differs_is_not_replaced_unasked(tmp_path: Path) -> None:
    """It may have the only copy of a key; nothing of the others is made then."""
    publish(pair(tmp_path, "old"))
    before = tree(tmp_path)
    (tmp_path / "keys" / "a.h").unlink()
    with pytest.raises(OperatorError, match=r"pledges\.csv is there already"):
        publish(pair(tmp_path))
    assert {"pledges.csv": "old"} == tree(tmp_path)
    publish(pair(tmp_path, "old"))
    assert before == tree(tmp_path)
    publish(pair(tmp_path), overwrite=True)
    assert {"keys/a.h": "new", "pledges.csv": "new"} == tree(tmp_path)


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """Whoever put it there does not choose where keys go."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("untouched")
    (tmp_path / "pledges.csv").symlink_to(elsewhere)
    with pytest.raises(OperatorError, match="is there already"):
        publish(pair(tmp_path))
    publish(pair(tmp_path), overwrite=True)
    assert "untouched" == elsewhere.read_text()
    assert not (tmp_path / "pledges.csv").is_symlink()


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_pipe_in_the_place_of_a_file_is_refused_unread(tmp_path: Path, overwrite: bool) -> None:
    """Reading it might never end, and it is nobody's former output."""
    os.mkfifo(tmp_path / "pledges.csv")
    with pytest.raises(OperatorError, match=r"pledges\.csv is no regular file"):
        publish(pair(tmp_path), overwrite=overwrite)
    assert [tmp_path / "pledges.csv"] == list(tmp_path.iterdir())


def test_a_name_that_is_too_long_says_what_to_do(tmp_path: Path) -> None:
    """The longest identifiers are no names of files."""
    with pytest.raises(OperatorError, match="File name too long") as refused:
        publish([NewFile(tmp_path / f"{'ab' * 248}.h", "new")])
    assert "a FILE of its own" in refused.value.hint


def test_folders_that_are_missing_are_made_and_taken_back(tmp_path: Path) -> None:
    """A run that fails leaves nothing of its own behind."""
    deep = NewFile(tmp_path / "a" / "b" / "key.h", "new")
    (tmp_path / "pledges.csv").mkdir()
    with pytest.raises(OperatorError, match="is a folder"):
        publish([deep, NewFile(tmp_path / "pledges.csv", "new")])
    assert [tmp_path / "pledges.csv"] == list(tmp_path.iterdir())
    publish([deep])
    assert {"a/b/key.h": "new"} == tree(tmp_path)


def test_what_fails_when_all_is_written_takes_all_back(tmp_path: Path) -> None:
    """As a reader of standard output that has gone away."""

    def gone() -> None:
        assert 2 == len(tree(tmp_path)), "all is on disk, under names of its own"
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        publish(pair(tmp_path), between=gone)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("call", ["fsync", "write", "rename"])
def test_an_error_of_the_disk_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """A full disk, at each file: one sentence, and no half of a set."""
    for at in (1, 2):
        _fail(monkeypatch, call, at)
        with pytest.raises(OperatorError, match="No space left on device"):
            publish(pair(tmp_path))
        monkeypatch.undo()
        assert [] == list(tmp_path.iterdir())
    publish(pair(tmp_path))


def _fail(monkeypatch: pytest.MonkeyPatch, call: str, at: int) -> None:
    calls = iter(range(1, 100))

    def failing(real: Callable[..., object]) -> Callable[..., object]:
        def attempt(*arguments: object) -> object:
            if next(calls) == at:
                raise OSError(28, "No space left on device")
            return real(*arguments)

        return attempt

    if call == "fsync":
        monkeypatch.setattr(os, "fsync", failing(os.fsync))
    elif call == "rename":
        monkeypatch.setattr(Path, "rename", failing(Path.rename))
    else:
        monkeypatch.setattr(writing, "_write", failing(writing._write))


def test_the_last_file_gets_its_name_when_the_others_have_theirs_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut may undo a rename whose folder was not synced."""
    calls: list[str] = []
    rename, sync = Path.rename, writing._sync

    def renamed(path: Path, to: Path) -> Path:
        calls.append(to.name)
        return rename(path, to)

    def synced(folder: Path) -> None:
        calls.append(f"sync {folder.name}")
        sync(folder)

    (tmp_path / "keys").mkdir()
    monkeypatch.setattr(Path, "rename", renamed)
    monkeypatch.setattr(writing, "_sync", synced)
    publish(pair(tmp_path))
    first, last = calls.index("a.h"), calls.index("pledges.csv")
    assert "sync keys" in calls[first:last]
    assert f"sync {tmp_path.name}" in calls[last:]


def test_what_a_file_holds_is_on_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut would leave the name of a file that is empty."""
    synced: dict[str, int] = {}
    sync, rename = os.fsync, Path.rename

    def watched(descriptor: int) -> None:
        synced[Path(f"/proc/self/fd/{descriptor}").readlink().name] = os.fstat(descriptor).st_size
        sync(descriptor)

    def renamed(path: Path, to: Path) -> Path:
        assert len("new") == synced[path.name]
        return rename(path, to)

    monkeypatch.setattr(os, "fsync", watched)
    monkeypatch.setattr(Path, "rename", renamed)
    publish(pair(tmp_path))
    assert 2 == len(tree(tmp_path))


@pytest.mark.usefixtures("umask")
def test_no_file_is_ever_open_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for the moment in which it has no content and no mode of its own either."""
    modes: list[int] = []
    change = os.fchmod

    def changed(descriptor: int, mode: int) -> None:
        modes.append(os.fstat(descriptor).st_mode & 0o177)
        change(descriptor, mode)

    monkeypatch.setattr(os, "fchmod", changed)
    publish(pair(tmp_path))
    assert [0, 0] == modes


def test_a_folder_that_is_made_is_on_disk_before_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut would take them with it."""
    synced: list[Path] = []
    sync = writing._sync

    def watched(folder: Path) -> None:
        synced.append(folder)
        sync(folder)

    monkeypatch.setattr(writing, "_sync", watched)
    publish([NewFile(tmp_path / "a" / "b" / "key.h", "new")])
    assert [tmp_path, tmp_path / "a"] == synced[:2]


def test_two_runs_never_mix_their_files(tmp_path: Path) -> None:
    """The second is refused while the first works; its files stay as they are."""

    def second() -> None:
        with pytest.raises(OperatorError, match="another run writes keys"):
            publish(pair(tmp_path, "second"), overwrite=True)

    publish(pair(tmp_path, "first"), between=second)
    assert {"first"} == set(tree(tmp_path).values())


@pytest.mark.parametrize("number", range(18))
def test_a_kill_at_any_call_leaves_whole_files_alone(tmp_path: Path, number: int) -> None:
    """Old or new, never a part, and the last one never without the others; then a run mends it."""
    publish(pair(tmp_path, "old"))
    child = os.fork()
    if child == 0:
        _die_at(number)
        publish(pair(tmp_path), overwrite=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    found = {name: text for name, text in tree(tmp_path).items() if not name.endswith(".part")}
    assert {"keys/a.h", "pledges.csv"} == found.keys()
    assert set(found.values()) <= {"old", "new"}
    if found["pledges.csv"] == "new":
        assert "new" == found["keys/a.h"]
    assert os.WIFSIGNALED(status) or set(found.values()) == {"new"}
    publish(pair(tmp_path, "mended"), overwrite=True)
    assert {"keys/a.h": "mended", "pledges.csv": "mended"} == tree(tmp_path)


def test_keys_that_a_killed_run_left_go_with_the_next_whatever_it_names(tmp_path: Path) -> None:
    """Identifiers that are drawn come twice in no two runs; parts of others stay."""
    child = os.fork()
    if child == 0:
        publish(pair(tmp_path, "left"), between=lambda: os.kill(os.getpid(), signal.SIGKILL))
        os._exit(0)
    os.waitpid(child, 0)
    (tmp_path / ".other.part").write_text("a download")
    assert 3 == len(tree(tmp_path))
    publish([NewFile(tmp_path / "keys" / "b.h", "new"), NewFile(tmp_path / "more.csv", "new")])
    assert {"keys/b.h": "new", "more.csv": "new", ".other.part": "a download"} == tree(tmp_path)


def _die_at(number: int) -> None:
    """SIGKILL at the numbered call of those that change a file."""
    calls = iter(range(100))

    def counted(real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            if next(calls) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **named)

        return call

    os.open, os.fsync, os.fchmod = counted(os.open), counted(os.fsync), counted(os.fchmod)  # type: ignore[assignment]
    Path.rename = counted(Path.rename)  # type: ignore[assignment, method-assign]
