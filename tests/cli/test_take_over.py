"""``jrc network add --keys-file``: what the terminal shows, and what it never shows."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from jrc.errors import ExitCode
from tests.cli.terminal import PREFIX, Done, Terminal

VALUE = "8a5c01ff7e00274bd3915c6de2f04b1a"
KEY = {"key_id": 5, "key_usage": 0, "value": VALUE}
ADD = ("network", "add", "old", "--network-id", "abcd", "--prefix", PREFIX, "--keys-file")


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(tmp_path / "registrar")
    made.init()
    yield made
    listed = made.jrc("events", "--json")
    assert VALUE not in listed.out
    for file in made.folder.glob("jrc.db*"):
        assert bytes.fromhex(VALUE) not in file.read_bytes()


def keys_file(folder: Path, text: str | None = None, mode: int = 0o600, **fields: object) -> str:
    """A file of one key, or with another text."""
    path = folder / "keys.json"
    path.write_text(
        text if text is not None else json.dumps({"version": 1, "keys": [KEY], **fields})
    )
    path.chmod(mode)
    return str(path)


def without_value(done: Done) -> Done:
    """What a command left, which has no key in it."""
    assert VALUE not in (done.out + done.err).lower()
    return done


def test_a_network_is_taken_over_and_shown_as_such(terminal: Terminal, tmp_path: Path) -> None:
    """Addresses are counted, and the hint says what to do next."""
    file = keys_file(tmp_path, short_ids_in_use=["0001", "0010-001f"])
    done = without_value(terminal.jrc(*ADD, file))
    assert (done.code, done.err) == (
        0,
        "hint: these keys are compiled into firmware; roll them over soon\n",
    )
    for command in (done, terminal.jrc("network", "show", "old")):
        words = [line.split() for line in command.out.splitlines()]
        assert ["keys", "taken", "over"] in words
        assert ["short", "identifiers", "taken", "over", "17"] in words
        assert ["key", "ids", "5"] in words
    shown = terminal.jrc("network", "show", "old", "--json").json
    assert (shown["keys_provenance"], shown["short_ids_taken_over"]) == ("takeover", 17)


def test_a_file_may_come_on_standard_input(terminal: Terminal) -> None:
    """As other keys do."""
    text = json.dumps({"version": 1, "keys": [KEY]})
    assert without_value(terminal.jrc(*ADD, "-", stdin=text.encode())).code == 0


def test_a_file_that_others_can_read_is_warned_about(terminal: Terminal, tmp_path: Path) -> None:
    """As key files are elsewhere."""
    done = without_value(terminal.jrc(*ADD, keys_file(tmp_path, mode=0o644)))
    assert done.code == 0
    assert "holds keys and everybody can read it; run: chmod 600" in done.err


def test_a_public_key_is_warned_about_each_time_it_is_shown(
    terminal: Terminal, tmp_path: Path
) -> None:
    """RFC 9031 App. A prints it, and OpenWSN's registrar hands it out."""
    public = {**KEY, "value": "e6bf4287c2d7618d6a9687445ffd33e6"}
    added = terminal.jrc(*ADD, keys_file(tmp_path, keys=[public]))
    for done in (added, terminal.jrc("network", "show", "old")):
        assert done.code == 0
        assert "warning: a link-layer key of old is public" in done.err
        assert str(public["value"]) not in done.out + done.err


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (f'{{"version": 1, "keys": [{VALUE}]}}', ExitCode.USAGE, "line 1, column "),
        (f'{{"version": 1,\n"keys": ["{VALUE}]}}', ExitCode.USAGE, "line 2, column "),
        (f'"{VALUE}"', ExitCode.USAGE, "must hold one JSON object"),
        (
            f'{{"{VALUE}": 1, "{VALUE}": 2}}',
            ExitCode.USAGE,
            "object with a field that is there twice",
        ),
        ('{"version": NaN}', ExitCode.USAGE, "a number or a character that can't be sent"),
        ('{"version": 1e999}', ExitCode.USAGE, "a number or a character that can't be sent"),
        ('{"version": "\\ud800"}', ExitCode.USAGE, "a number or a character that can't be sent"),
        ("[" * 9999, ExitCode.USAGE, "lists or objects in too many others"),
        ('{"version": 2}', ExitCode.USAGE, "keys-file: version: this program reads version 1"),
        (
            json.dumps({"version": 1, "keys": [KEY], "short_ids_in_use": ["0002-0001"]}),
            ExitCode.USAGE,
            "keys-file: short_ids_in_use[0]: ",
        ),
        ('{"version": 1, "keys": []}', ExitCode.USAGE, "keys-file: keys: must be a list"),
        (
            json.dumps({"version": 1, "keys": [{**KEY, "value": VALUE[:-2]}]}),
            ExitCode.USAGE,
            "keys-file: keys[0]: a link-layer key has 16 bytes, not 15",
        ),
        (
            json.dumps({"version": 1, "keys": [{**KEY, "key_usage": 7}]}),
            ExitCode.REFUSED,
            "keys-file: keys: key usages (7) leave data frames unprotected",
        ),
        ("x" * 200_000, ExitCode.FAILED, "is longer than 196608 bytes: that is no key file"),
    ],
)
def test_a_bad_file_is_one_sentence_and_nothing_is_stored(
    terminal: Terminal, tmp_path: Path, text: str, code: ExitCode, said: str
) -> None:
    """With its place, and never with what stands there."""
    done = without_value(terminal.jrc(*ADD, keys_file(tmp_path, text)))
    first, *hints = done.err.splitlines()
    assert (done.code, done.out) == (code, "")
    assert first.startswith("error: ")
    assert said in first
    assert len(hints) <= 1
    assert VALUE[:-2] not in done.err
    assert terminal.jrc("network", "list", "--json").json == []


def test_a_file_that_is_not_there_is_one_sentence(terminal: Terminal) -> None:
    """With its name."""
    done = terminal.jrc(*ADD, "/nowhere/keys.json")
    assert (done.code, "/nowhere/keys.json can't be read" in done.err) == (ExitCode.FAILED, True)


def test_the_usage_comes_from_the_file_alone(terminal: Terminal, tmp_path: Path) -> None:
    """Two sources would have to agree."""
    done = terminal.jrc(*ADD, keys_file(tmp_path), "--key-usage", "0")
    assert (done.code, "--keys-file" in done.err) == (ExitCode.USAGE, True)


def test_thousands_of_addresses_fit(terminal: Terminal, tmp_path: Path) -> None:
    """A list as a tool writes it, one by one."""
    file = keys_file(tmp_path, short_ids_in_use=[f"{value:04x}" for value in range(1, 15_000)])
    assert terminal.jrc(*ADD, file).code == 0
    assert terminal.jrc("network", "show", "old", "--json").json["short_ids_taken_over"] == 14_999
