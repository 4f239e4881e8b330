"""``jrc init``: private files, nothing overwritten, nothing left by one that fails."""

import os
import pwd
import stat
from pathlib import Path

import pytest

from jrc.cli import setup
from jrc.config import example, parse
from jrc.errors import ExitCode
from jrc.model import Secret
from jrc.store.database import Database
from jrc.store.keyfile import key_text, new_key, write_key
from tests.cli.terminal import Terminal, one_sentence


def test_init_makes_private_files_and_says_what_comes_next(tmp_path: Path) -> None:
    """Everything under DIR, without root; the key is to be kept apart from the database."""
    done = Terminal(tmp_path).jrc("init", "--dir", str(tmp_path / "r"), config=False)
    assert done.code == 0
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "r").iterdir()}
    assert modes == {
        "config.toml": 0o640,
        "kek": 0o600,
        "jrc.db": 0o600,
        "jrc.instance": 0o600,
    }
    assert f"jrc --config {tmp_path / 'r' / 'config.toml'} network add" in done.out
    assert "apart from the database" in done.out
    assert (tmp_path / "r" / "kek").read_text().strip() not in done.out


@pytest.mark.parametrize("name", ["config.toml", "kek", "jrc.db", "jrc.instance"])
def test_init_overwrites_nothing_and_makes_nothing_then(tmp_path: Path, name: str) -> None:
    """Not even the files that were not there."""
    (tmp_path / name).write_text("precious")
    done = Terminal(tmp_path).jrc("init", "--dir", str(tmp_path), config=False)
    one_sentence(done, ExitCode.REFUSED)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "precious"


def test_init_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second try must not meet the rest of the first."""
    from jrc.store import instancefile

    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device", "jrc.instance")

    monkeypatch.setattr(instancefile, "write", full)
    done = Terminal(tmp_path).jrc("init", "--dir", str(tmp_path / "r"), config=False)
    one_sentence(done, ExitCode.FAILED)
    assert list(tmp_path.iterdir()) == []


def test_init_makes_nothing_in_a_folder_that_toml_cannot_name(tmp_path: Path) -> None:
    """A config file is UTF-8."""
    done = Terminal(tmp_path).jrc("init", "--dir", str(tmp_path / "\udcff"), config=False)
    one_sentence(done, ExitCode.USAGE)
    assert list(tmp_path.iterdir()) == []


def test_a_system_wide_init_gives_the_state_to_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root's files would be in the daemon's way; the config file stays root's."""
    given: dict[str, tuple[int, int]] = {}
    monkeypatch.setattr(os, "chown", lambda path, u, g: given.update({Path(path).name: (u, g)}))
    owner = pwd.struct_passwd(("jrc", "x", 901, 902, "", "/", "/bin/false"))
    state, config = tmp_path / "state", tmp_path / "etc" / "config.toml"
    text = example(state)
    setup.create(config, text, parse(text, path=str(config)), owner=owner)
    assert given.pop("config.toml") == (0, 902)
    assert {"state", "kek", "jrc.db", "jrc.instance"} <= set(given)
    assert set(given.values()) == {(901, 902)}
    assert "etc" not in given


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://jrc:hunter2@db/jrc", "password"),
        ("postgresql://jrc@db/jrc?password=hunter2", "password"),
        ("sqlite:////tmp/jrc.db", "SQLite file"),
    ],
)
def test_a_database_url_that_does_not_belong_on_a_command_line_is_refused(
    tmp_path: Path, url: str, said: str
) -> None:
    """Everybody on the host can read it there."""
    words = ("init", "--dir", str(tmp_path / "r"), "--database-url", url)
    done = Terminal(tmp_path).jrc(*words, config=False)
    one_sentence(done, ExitCode.USAGE)
    assert said in done.err
    assert "hunter2" not in done.err
    assert not (tmp_path / "r").exists()


# what a config file names


def config_in(folder: Path, text: str) -> Terminal:
    """A config file, and nothing that it names."""
    terminal = Terminal(folder)
    terminal.config.write_text(text)
    return terminal


NAMES = """\
[database]
url = "sqlite:///state/jrc.db"
[keys]
kek_file = "secrets/kek"
[admin]
socket = "admin.sock"
"""


def test_init_with_a_config_file_makes_what_it_names(tmp_path: Path) -> None:
    """Key and database in their own places, and the config file stays as it is."""
    terminal = config_in(tmp_path, NAMES)
    done = terminal.jrc("init")
    assert done.code == 0, done.err
    assert terminal.config.read_text() == NAMES
    assert {path.name for path in (tmp_path / "state").iterdir()} == {"jrc.db", "jrc.instance"}
    assert stat.S_IMODE((tmp_path / "secrets/kek").stat().st_mode) == 0o600
    assert terminal.jrc("check-config").code == 0


@pytest.mark.parametrize("name", ["secrets/kek", "state/jrc.db", "state/jrc.instance"])
def test_init_with_a_config_file_overwrites_nothing(tmp_path: Path, name: str) -> None:
    """Not even the files that were not there."""
    terminal = config_in(tmp_path, NAMES)
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_text("precious")
    one_sentence(terminal.jrc("init"), ExitCode.REFUSED)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(files) == sorted([terminal.config, tmp_path / name])
    assert (tmp_path / name).read_text() == "precious"


@pytest.mark.parametrize(
    "words", [("--dir", "elsewhere"), ("--database-url", "postgresql+psycopg://jrc@db/jrc")]
)
def test_init_is_told_places_once(tmp_path: Path, words: tuple[str, str]) -> None:
    """By the config file or by options."""
    terminal = config_in(tmp_path, NAMES)
    one_sentence(terminal.jrc("init", *words), ExitCode.USAGE)
    assert list(tmp_path.iterdir()) == [terminal.config]


def test_init_makes_no_credential(tmp_path: Path) -> None:
    """It says how one comes to be."""
    terminal = config_in(tmp_path, '[keys]\ncredential = "jrc-kek"\n')
    done = terminal.jrc("init")
    one_sentence(done, ExitCode.USAGE)
    assert "docs/keys.md" in done.err


def test_init_takes_the_key_that_the_service_manager_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And writes it nowhere."""
    terminal = config_in(
        tmp_path, NAMES.replace('kek_file = "secrets/kek"', 'credential = "jrc-kek"')
    )
    passed = tmp_path / "passed"
    passed.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(passed))
    one_sentence(terminal.jrc("init"), ExitCode.FAILED)
    assert {"passed", "config.toml"} == {path.name for path in tmp_path.iterdir()}
    key = new_key()
    write_key(passed / "jrc-kek", key_text(key))
    done = terminal.jrc("init")
    assert done.code == 0, done.err
    assert "the credential jrc-kek" in done.out
    made = [path for path in (tmp_path / "state").iterdir() if path.is_file()]
    assert {"jrc.db", "jrc.instance"} == {path.name for path in made}
    assert [] == [path for path in made if holds(path, key)]
    Database.open(f"sqlite:///{tmp_path / 'state/jrc.db'}", key).close()


def holds(path: Path, key: Secret) -> bool:
    """Whether a file has a key's bytes, or their digits."""
    content = path.read_bytes()
    return key.reveal() in content or key.reveal().hex().encode() in content.lower()


def test_init_with_a_config_file_gives_away_its_state_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that was there, with the key among other things, stays whose it is."""
    given: dict[str, tuple[int, int]] = {}
    monkeypatch.setattr(os, "chown", lambda path, u, g: given.update({Path(path).name: (u, g)}))
    (tmp_path / "secrets").mkdir()
    terminal = config_in(tmp_path, NAMES)
    owner = pwd.struct_passwd(("jrc", "x", 901, 902, "", "/", "/bin/false"))
    settings = parse(NAMES, path=str(terminal.config))
    setup.create(terminal.config, None, settings, owner=owner)
    assert {"state", "kek", "jrc.db", "jrc.instance"} <= given.keys()
    assert not {"secrets", "config.toml"} & given.keys()
