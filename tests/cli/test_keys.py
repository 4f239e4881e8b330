"""``jrc keys``: slots, rotation and the lost key file, without a daemon."""

import stat
from pathlib import Path
from typing import Any

import httpx
import pytest

from jrc.errors import Cause, ExitCode, StoreError
from jrc.opened import Opened
from jrc.store.server import UnknownOutcomeError
from tests.cli.terminal import PLEDGE, PSK, Done, Terminal, one_sentence


@pytest.fixture
def lab(tmp_path: Path) -> Terminal:
    """A network and a pledge, and the one slot that `jrc init` makes."""
    terminal = Terminal(tmp_path / "registrar")
    terminal.init(recovery=False)
    terminal.add_lab()
    return terminal


def slots(terminal: Terminal) -> dict[str, Any]:
    """The slots by name."""
    found = terminal.jrc("keys", "slots", "--json").json["slots"]
    return {slot["name"]: slot for slot in found}


def add_paper(terminal: Terminal) -> Path:
    """A recovery slot, and the file with its identity."""
    path = terminal.folder / "paper"
    done = terminal.jrc("keys", "add", "recovery", "paper", "--out", str(path))
    assert 0 == done.code, done.err
    return path


def works(terminal: Terminal) -> Done:
    """A command that opens the database, and what is in it."""
    done = terminal.jrc("pledge", "list")
    if done.code == 0:
        assert PLEDGE in done.out
    return done


def test_one_slot_is_few_and_two_are_well(lab: Terminal) -> None:
    """Exit code 5 is for scripts; the sentence says what to do."""
    done = lab.jrc("keys", "slots")
    assert (ExitCode.UNFINISHED, True) == (done.code, "jrc keys add recovery" in done.err)
    assert ["NAME", "KIND", "KEY", "CREATED", "OPENS HERE"] == done.out.splitlines()[0].split("\t")
    add_paper(lab)
    assert 0 == lab.jrc("keys", "slots").code
    assert (True, False) == (slots(lab)["file"]["opens_here"], slots(lab)["paper"]["opens_here"])


def test_a_recovery_identity_is_in_its_private_file_alone(lab: Terminal) -> None:
    """The database has its public half; no output repeats it."""
    path = add_paper(lab)
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    identity = path.read_text().strip()
    digits = identity.replace("-", "")
    assert (64, 7) == (len(digits), identity.count("-"))
    everywhere = b"".join(each.read_bytes() for each in lab.folder.iterdir() if each != path)
    for form in (identity.encode(), digits.encode(), bytes.fromhex(digits)):
        assert form not in everywhere
    done = lab.jrc("keys", "add", "recovery", "other", "--out", str(path))
    assert (ExitCode.FAILED, True) == (done.code, "nothing was overwritten" in done.err)
    assert {"file", "paper"} == set(slots(lab))


def test_without_a_terminal_an_identity_is_not_shown(lab: Terminal) -> None:
    """It would end in a log or a pipe."""
    done = lab.jrc("keys", "add", "recovery", "paper")
    assert (ExitCode.USAGE, True) == (done.code, "--out FILE" in done.err)
    assert {"file"} == set(slots(lab))


def test_an_identity_is_shown_before_its_slot_is_made(lab: Terminal) -> None:
    """Who has not written it down gets no slot that nothing opens."""
    code, shown = lab.typed("keys", "add", "recovery", "paper", answer="n\n")
    assert (ExitCode.REFUSED, True) == (code, "opens nothing" in shown)
    assert {"file"} == set(slots(lab))
    code, shown = lab.typed("keys", "add", "recovery", "paper", answer="y\n")
    assert (0, True) == (code, "a slot was added" in shown)
    identity = shown.splitlines()[0].strip()
    path = lab.folder / "typed"
    path.write_text(identity)
    path.chmod(0o600)
    (lab.folder / "kek").unlink()
    assert 0 == lab.jrc("keys", "restore", "--identity-file", str(path)).code
    works(lab)


def test_a_refused_slot_leaves_no_file(lab: Terminal) -> None:
    """Nothing is there that could be taken for a key."""
    spare = lab.folder / "spare"
    for words in (("file", "file"), ("recovery", "file"), ("file", "No Name")):
        done = lab.jrc("keys", "add", *words, "--out", str(spare))
        assert (True, False) == (done.code != 0, spare.exists()), done.err


@pytest.mark.parametrize("cut", [httpx.ReadError("cut off"), KeyboardInterrupt()])
@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/v1/keys/rotate", ("rotate", "--yes", "--file")),
        ("/v1/keys/slots", ("add", "file", "new", "--out")),
        ("/v1/keys/slots", ("add", "recovery", "new", "--out")),
    ],
)
def test_a_key_file_is_kept_where_the_answer_never_came(
    lab: Terminal,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    words: tuple[str, ...],
    cut: BaseException,
) -> None:
    """The daemon dies after its commit, or Ctrl-C: the file is all that opens the slot."""
    new, real = lab.folder / "new", httpx.AsyncClient.request

    async def request(client: httpx.AsyncClient, method: str, url: str, **more: Any) -> Any:
        answer = await real(client, method, url, **more)
        if url == path:
            raise cut
        return answer

    monkeypatch.setattr(httpx.AsyncClient, "request", request)
    done = lab.jrc("keys", *words, str(new))
    monkeypatch.undo()
    assert (True, True) == (done.code != 0, "was kept" in done.err)
    text = new.read_text()
    if words[1] == "recovery":
        (lab.folder / "kek").unlink()
        assert 0 == lab.jrc("keys", "restore", "--identity-file", str(new)).code
    else:
        (lab.folder / "kek").write_text(text)
    assert any(slot["key_id"] in done.err for slot in slots(lab).values())
    assert 0 == works(lab).code


def test_what_changes_keys_needs_a_yes(lab: Terminal) -> None:
    """Nothing is changed without one."""
    add_paper(lab)
    before = lab.jrc("keys", "slots", "--json").json
    for words in (("rotate",), ("rotate", "--data"), ("remove", "paper")):
        done = lab.jrc("keys", *words)
        assert (ExitCode.REFUSED, True) == (done.code, "--yes" in done.err)
    assert before == lab.jrc("keys", "slots", "--json").json


def test_a_slot_that_is_not_there_is_not_asked_about(lab: Terminal) -> None:
    """Whoever mistypes a name reads no plan of what its removal does."""
    done = lab.jrc("keys", "remove", "papre")
    one_sentence(done, ExitCode.FAILED)
    assert ("papre" in done.err, "opens the database no more" in done.err) == (True, False)


def test_rotation_keeps_what_is_stored(lab: Terminal) -> None:
    """The key encryption key, then everything, then both with a new file for this host."""
    add_paper(lab)
    for words in (("--kek",), ("--data",), ("--kek", "--data", "--reason", "yearly")):
        done = lab.jrc("keys", "rotate", *words, "--yes")
        assert 0 == done.code, done.err
        assert 0 == works(lab).code
    kinds = [event["kind"] for event in lab.jrc("events", "--json").json]
    assert (2, 2) == (kinds.count("keys.rotated"), kinds.count("keys.data_rotated"))


def test_a_rotation_that_is_broken_off_says_how_it_goes_on(
    lab: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C between two transactions."""
    add_paper(lab)
    real = httpx.AsyncClient.request

    async def request(client: httpx.AsyncClient, method: str, url: str, **more: Any) -> Any:
        if url.endswith("/step"):
            raise KeyboardInterrupt
        return await real(client, method, url, **more)

    monkeypatch.setattr(httpx.AsyncClient, "request", request)
    done = lab.jrc("keys", "rotate", "--data", "--yes")
    monkeypatch.undo()
    assert (130, True) == (done.code, "`jrc keys rotate --data` goes on" in done.err)
    assert "finish it: jrc keys rotate --data" in lab.jrc("keys", "slots").err
    done = lab.jrc("keys", "rotate", "--data", "--yes")
    assert (0, True) == (done.code, "that was broken off goes on" in done.err)
    assert 0 == lab.jrc("keys", "slots").code == works(lab).code


def test_a_new_file_for_this_host_is_to_be_put_in_place(lab: Terminal) -> None:
    """The old one opens nothing more, and the error names the slots."""
    new = lab.folder / "kek.new"
    done = lab.jrc("keys", "rotate", "--file", str(new), "--yes")
    assert (0, True) == (done.code, f"mv {new} {lab.folder / 'kek'}" in done.err)
    assert 0o600 == stat.S_IMODE(new.stat().st_mode)
    failed = works(lab)
    assert (ExitCode.FAILED, True) == (failed.code, "its slots: file (file, key" in failed.err)
    new.rename(lab.folder / "kek")
    assert 0 == works(lab).code


def test_the_files_of_other_slots_go_along_with_a_rotation(lab: Terminal) -> None:
    """Without them they would be locked out."""
    spare = lab.folder / "spare"
    assert 0 == lab.jrc("keys", "add", "file", "spare", "--out", str(spare)).code
    done = lab.jrc("keys", "rotate", "--yes")
    assert (ExitCode.REFUSED, True) == (done.code, "jrc keys remove spare" in done.err)
    assert 0 == lab.jrc("keys", "rotate", "--with", str(spare), "--yes").code
    (lab.folder / "kek").write_text(spare.read_text())
    assert 0 == works(lab).code
    done = lab.jrc("keys", "remove", "spare", "--yes")
    assert (ExitCode.REFUSED, True) == (done.code, "starts with" in done.err)
    assert 0 == lab.jrc("keys", "remove", "file", "--yes").code
    assert {"spare"} == set(slots(lab))


def test_a_lost_key_file_is_made_anew_with_the_recovery_identity(lab: Terminal) -> None:
    """The lost one, should it be found by somebody, opens nothing more."""
    paper, kek = add_paper(lab), lab.folder / "kek"
    lost = kek.read_text()
    done = lab.jrc("keys", "restore", "--identity-file", str(paper))
    assert (ExitCode.FAILED, True) == (done.code, "nothing was overwritten" in done.err)
    kek.unlink()
    assert "jrc keys restore" in works(lab).err
    done = lab.jrc("keys", "restore", "--identity-file", str(paper), "--reason", "the disk died")
    assert 0 == done.code, done.err
    assert 0 == works(lab).code
    assert 0o600 == stat.S_IMODE(kek.stat().st_mode)
    kek.write_text(lost)
    assert "opens no slot" in works(lab).err


@pytest.mark.parametrize(
    ("error", "is_kept"),
    [(StoreError("full", Cause.DISK_FULL), False), (UnknownOutcomeError(), True)],
)
def test_a_restored_key_file_goes_where_its_slot_was_surely_not_made(
    lab: Terminal, monkeypatch: pytest.MonkeyPatch, error: StoreError, is_kept: bool
) -> None:
    """And in no other case: it may be all that opens the database."""
    paper = add_paper(lab)
    (lab.folder / "kek").unlink()
    real = Opened.write

    def write(opened: Opened, work: Any) -> Any:
        if is_kept:
            real(opened, work)
        raise error

    monkeypatch.setattr(Opened, "write", write)
    done = lab.jrc("keys", "restore", "--identity-file", str(paper))
    monkeypatch.undo()
    assert (ExitCode.FAILED, is_kept) == (done.code, "was kept" in done.err)
    assert is_kept == (lab.folder / "kek").exists()
    assert is_kept == (0 == works(lab).code)


def test_an_identity_of_another_registrar_restores_nothing(lab: Terminal) -> None:
    """No key file is made."""
    (lab.folder / "kek").unlink()
    stranger = lab.folder / "stranger"
    stranger.write_text("ab" * 32)
    stranger.chmod(0o600)
    done = lab.jrc("keys", "restore", "--identity-file", str(stranger))
    assert (ExitCode.FAILED, True) == (done.code, "opens no slot" in done.err)
    assert not (lab.folder / "kek").exists()


def test_the_files_without_a_slot_key_give_no_key(lab: Terminal) -> None:
    """A stolen disk without the key file: neither PSK nor a way in."""
    add_paper(lab)
    kek = (lab.folder / "kek").read_text().strip()
    stolen = [each for each in lab.folder.iterdir() if each.name not in ("kek", "paper")]
    content = b"".join(each.read_bytes() for each in stolen)
    for secret in (PSK, kek):
        assert secret.encode() not in content
        assert bytes.fromhex(secret) not in content
    (lab.folder / "kek").unlink()
    (lab.folder / "paper").unlink()
    assert ExitCode.FAILED == works(lab).code
