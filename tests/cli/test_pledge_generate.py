"""`jrc pledge generate`: what a builder sees, where the keys go, and where they never do."""

import json
import os
import shlex
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from jrc.errors import ExitCode
from jrc.provision.source import KeySource
from tests.cli.terminal import PLEDGE, Done, Terminal, one_sentence
from tests.daemon.test_secrets import leaks
from tests.provision.source import Counted

OTHER = "00124b0014b5b67f"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Bench":
    """A build machine: no config, no registrar."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JRC_CONFIG", raising=False)
    return Bench(tmp_path)


class Bench(Terminal):
    """Gives the command without a config file."""

    def make(self, *words: str, stdin: bytes = b"") -> Done:
        """`jrc pledge generate ...`."""
        return self.jrc("pledge", "generate", *words, stdin=stdin, config=False)

    def files(self) -> dict[str, int]:
        """What is there, with its mode."""
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return {
            str(path.relative_to(self.folder)): stat.S_IMODE(path.stat().st_mode) for path in found
        }


KEYS = ("psk", "pledge_sender_key", "pledge_recipient_key", "common_iv")


def secrets_in(text: str) -> dict[str, bytes]:
    """The keys in a file of records, by device and column."""
    return {
        f"{name} of {record['pledge_id']}": bytes.fromhex(record[name])
        for record in json.loads(text)
        for name in KEYS
        if name in record
    }


def test_one_run_makes_the_builds_file_and_the_registrars(bench: Bench) -> None:
    """The next command is said, and values by which people compare keys."""
    done = bench.make(
        "--id", PLEDGE, "--format", "c", "--out", "key.h", "--import-file", "pledges.json"
    )
    assert (0, {"key.h": 0o600, "pledges.json": 0o600}) == (done.code, bench.files())
    (record,) = json.loads((bench.folder / "pledges.json").read_text())
    assert f"PLEDGE\tKEY CHECK\n{PLEDGE}\t{record['key_check']}\n" == done.out
    assert f'"{record["key_check"]}"' in (bench.folder / "key.h").read_text()
    assert "next: jrc pledge import pledges.json" in done.err
    assert "1 key made: in key.h, and for the registrar in pledges.json" in done.err


def test_several_devices_get_a_file_each_in_a_folder(bench: Bench) -> None:
    """Named by identifier; a second batch goes beside the first."""
    lines = f"# batch 7\n{PLEDGE}  lamp\n\n00-12-4B-00-14-B5-B6-7F\n".encode()
    where = ("--format", "rust", "--out", "keys")
    done = bench.make("--ids", "-", *where, "--import-file", "a.csv", "--json", stdin=lines)
    names = [f"keys/{PLEDGE}.rs", f"keys/{OTHER}.rs"]
    assert names == done.json["files"]
    assert {*names, "a.csv"} == set(bench.files())
    more = bench.make("--id", "0a", *where, "--import-file", "b.csv")
    assert (0, True) == (more.code, "keys/0a.rs" in bench.files())


def test_devices_to_come_get_identifiers(bench: Bench) -> None:
    """With the prefix that was asked for, or of the local kind."""
    done = bench.make(
        "--count", "3", "--prefix", "00:12:4b", "--format", "csv", "--out", "a.csv", "--json"
    )
    found = done.json
    assert (3, "jrc pledge import a.csv", "a.csv") == (
        found["count"], found["next"], found["import_file"]
    )  # fmt: skip
    assert {"00124b"} == {each["pledge_id"][:6] for each in found["devices"]}
    assert 3 == len({each["pledge_id"] for each in found["devices"]})


@pytest.mark.parametrize("derived", [(), ("--derived",)], ids=["psk", "derived"])
def test_what_it_shows_holds_no_key(bench: Bench, derived: tuple[str, ...]) -> None:
    """RFC 9031 §9: no table, JSON or refusal, in any spelling; --out - alone is the asking."""
    words = ("--count", "3", "--format", "json", "--out", "a.json", *derived)
    kept = ("--keep", "a.json", "--state", "a.json", "--format", "c", "--out", "x")
    shown = {"table": _said(bench.make(*words))}
    found = secrets_in((bench.folder / "a.json").read_text())
    shown["refused"] = _said(bench.make(*words))
    shown["kept"] = _said(bench.make(*kept))
    shown["JSON"] = _said(bench.make(*words, "--overwrite", "--json"))
    found |= secrets_in((bench.folder / "a.json").read_text())
    assert (9 if derived else 3) * 2 == len(set(found.values()))
    assert [] == leaks(found, shown)
    asked = bench.make("--id", PLEDGE, "--format", "json", "--out", "-", *derived)
    found = secrets_in(asked.out)
    assert len(found) == len(
        {leak.split(" as ")[0] for leak in leaks(found, {"out": _said(asked)})}
    )
    assert [] == leaks(found, {"stderr": asked.err.encode()})


def _said(done: Done) -> bytes:
    return (done.out + done.err).encode()


_LOOKED_AT = """\
import sys
from jrc.cli import generated_files
from jrc.cli.main import main

def publish(files, **named):
    for name in ("cmdline", "environ"):
        sys.stderr.buffer.write(open(f"/proc/self/{name}", "rb").read())
    real(files, **named)

real, generated_files.publish = generated_files.publish, publish
code = main(["pledge", "generate", "--count", "2", "--format", "json", "--out", "a.json"])
heavy = {"sqlalchemy", "alembic", "uvicorn", "starlette", "aiocoap", "pyroute2", "jrc.store"}
print(sorted(heavy & sys.modules.keys()), file=sys.stderr)
sys.exit(code)
"""
"""The command, with what the kernel shows of its process when it has drawn its keys."""


def test_its_process_shows_no_key_and_loads_nothing_of_a_registrar(bench: Bench) -> None:
    """As `ps` sees it; no database's or server's library is loaded on a build machine."""
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", _LOOKED_AT, "an argument"],
        capture_output=True,
        env=environ,
        check=True,
    )
    keys = secrets_in((bench.folder / "a.json").read_text())
    assert b"an argument" in done.stderr
    assert b"PYTHONPATH=" in done.stderr
    assert [] == leaks(keys, {"process": done.stderr, "output": done.stdout})
    assert b"[]" == done.stderr.splitlines()[-1]
    assert {"a.json": 0o600} == bench.files()


HEADER = ("--format", "c", "--out", "a")
CSV = ("--format", "csv", "--out", "a")
REFUSED: Mapping[str, tuple[tuple[str, ...], str]] = {
    "no device": (CSV, "one of --count, --id and --ids"),
    "two ways": (("--count", "1", "--id", PLEDGE, *CSV), "one of"),
    "twice": (("--id", PLEDGE, "--id", PLEDGE.upper(), *CSV), "twice"),
    "no hex": (("--id", "lamp", *CSV), "it is not hex"),
    "prefix alone": (("--id", PLEDGE, "--prefix", "00", *CSV), "--count"),
    "prefix": (("--count", "1", "--prefix", "0x", *CSV), "not hex"),
    "none": (("--count", "0", *CSV), "no device"),
    "no import": (("--count", "1", *HEADER), "--import-file"),
    "two imports": (
        ("--count", "1", "--format", "csv", "--out", "a", "--import-file", "b"), "--import-file"
    ),
    "one file": (
        ("--count", "1", "--format", "c", "--out", "./a", "--import-file", "a"), "the same file"
    ),
    "one place": (
        ("--count", "1", "--format", "c", "--out", "k/../a", "--import-file", "a"), "the same file"
    ),
    "role": (("--count", "1", "--role", "lbr", *CSV), "6lbr"),
    "network": (("--count", "1", "--network", "a;b", *CSV), "--network"),
    "label": (("--count", "1", "--label", "a\nb", *CSV), "label"),
    "aead": (("--count", "1", "--aead", "rot13", *CSV), "rot13"),
    "json": (("--count", "1", "--json", "--format", "csv", "--out", "-"), "standard output"),
    "several": (
        ("--count", "2", "--format", "c", "--out", "-", "--import-file", "a"), "one device"
    ),
    "state alone": (("--id", PLEDGE, "--state", "s", *CSV), "--keep"),
    "kept settings": (
        ("--keep", "k", "--state", "s", "--role", "6ln", *CSV), "keeps its"
    ),
    "no list": (("--ids", "missing", *CSV), "can't be read"),
    "no former": (("--keep", "k", "--state", "s", *HEADER), "can't be read"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(REFUSED))
def test_what_can_not_be_meant_is_refused_and_nothing_written(bench: Bench, case: str) -> None:
    """In words that name the option."""
    words, said = REFUSED[case]
    done = bench.make(*words)
    assert done.code in (ExitCode.USAGE, ExitCode.FAILED)
    assert ("", {}) == (done.out, bench.files())
    assert said in " ".join(done.err.replace("│", " ").split())
    assert "Traceback" not in done.err


def test_a_line_of_a_list_that_is_no_identifier_is_named(bench: Bench) -> None:
    """Nothing is written, also not for the lines before it."""
    (bench.folder / "ids.txt").write_text(f"\ufeff{PLEDGE}\nlamp\n")
    done = bench.make("--ids", "ids.txt", "--format", "csv", "--out", "a.csv")
    one_sentence(done, ExitCode.USAGE)
    assert "ids.txt, line 2: 'lamp' is no pledge identifier" in done.err
    assert ["ids.txt"] == list(bench.files())


def test_a_stuck_source_is_exit_code_1_and_nothing_is_written(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence, and no file."""
    monkeypatch.setattr(KeySource.__init__, "__defaults__", (bytes,))
    done = bench.make("--count", "2", "--format", "csv", "--out", "a.csv")
    one_sentence(done, ExitCode.FAILED)
    assert "error: the random source gives one byte again and again" in done.err
    assert {} == bench.files()


def test_the_keys_are_what_the_source_gave(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the whole command, byte for byte."""
    source = Counted()
    monkeypatch.setattr(KeySource.__init__, "__defaults__", (source,))
    bench.make("--id", PLEDGE, "--id", OTHER, "--format", "json", "--out", "a.json")
    assert source.given[1:] == list(secrets_in((bench.folder / "a.json").read_text()).values())


def test_files_that_are_there_are_not_replaced_unasked(bench: Bench) -> None:
    """Devices may have these keys."""
    words = ("--id", PLEDGE, "--format", "c", "--out", "key.h", "--import-file", "pledges.csv")
    assert 0 == bench.make(*words).code
    before = (bench.folder / "pledges.csv").read_text()
    (bench.folder / "key.h").unlink()
    done = bench.make(*words)
    one_sentence(done, ExitCode.FAILED)
    assert "pledges.csv is there already" in done.err
    assert (before, False) == (
        (bench.folder / "pledges.csv").read_text(), (bench.folder / "key.h").exists()
    )  # fmt: skip
    assert 0 == bench.make(*words, "--overwrite").code


# With a registrar


def test_a_registrar_takes_what_was_made(terminal: Terminal, tmp_path: Path) -> None:
    """As it is, through a pipe, and once more; it checks the key check values."""
    terminal.add_lab()
    words = ("--network", "lab", "--role", "6lbr", "--label", "batch 7", "--overwrite")
    for form, *derived in (("csv",), ("json", "--derived"), ("yaml", "--derived"), ("cose",)):
        out = tmp_path / "keys"
        ordered = ("--count", "3", "--format", form, "--out", str(out))
        assert 0 == Bench(tmp_path).make(*ordered, *words, *derived).code
        for outcome in ("added", "unchanged"):
            done = terminal.jrc("pledge", "import", "-", "--json", stdin=out.read_bytes())
            assert (0, 3) == (done.code, done.json[outcome]), done.err
    listed = terminal.jrc("pledge", "list", "--json").json
    batch = [each for each in listed if (each["role"], each["label"]) == ("6lbr", "batch 7")]
    assert 12 == len(batch)
    shown = terminal.jrc("pledge", "show", batch[0]["pledge_id"], "--json").json
    assert ["generate"] == [key["provenance"] for key in shown["keys"]]


def test_a_kept_key_goes_on_where_the_registrar_says(terminal: Terminal, tmp_path: Path) -> None:
    """--keep with `pledge show --json`; a new key is what there is without it."""
    terminal.add_lab()
    bench, state = Bench(tmp_path), tmp_path / "state.json"
    former = tmp_path / "former.json"
    bench.make("--id", OTHER, "--format", "json", "--out", str(former))
    assert 0 == terminal.jrc("pledge", "import", str(former)).code
    state.write_text(terminal.jrc("pledge", "show", OTHER, "--json").out)
    header = tmp_path / "key.h"
    done = bench.make(
        "--keep",
        str(former),
        "--state",
        str(state),
        "--format",
        "c",
        "--out",
        str(header),
        "--json",
    )
    (device,) = done.json["devices"]
    assert (2**24 - 1, 0, True, None) == (
        device["ssn_start"], device["recv_start"], done.json["kept"], done.json["next"]
    )  # fmt: skip
    (psk,) = secrets_in(former.read_text()).values()
    assert ", ".join(f"0x{byte:02x}" for byte in psk[:8]) in header.read_text()
    assert done.json["files"] == [str(header)]
    one_sentence(bench.make("--keep", str(former), "--format", "c", "--out", "x"), ExitCode.FAILED)


def test_a_key_that_is_kept_twice_never_begins_where_it_was(
    terminal: Terminal, tmp_path: Path
) -> None:
    """The registrar has heard nothing of the first kept firmware: its file tells."""
    terminal.add_lab()
    bench, state = Bench(tmp_path), tmp_path / "state.json"
    names = [str(tmp_path / name) for name in ("former.json", "kept.csv", "again.csv")]
    bench.make("--id", OTHER, "--format", "json", "--out", names[0])
    assert 0 == terminal.jrc("pledge", "import", names[0]).code
    state.write_text(terminal.jrc("pledge", "show", OTHER, "--json").out)
    starts = []
    for before, after in ((names[0], names[1]), (names[1], names[2])):
        words = ("--keep", before, "--state", str(state), "--format", "c", "--out", f"{after}.h")
        done = bench.make(*words, "--import-file", after, "--json")
        starts.append(done.json["devices"][0]["ssn_start"])
    assert [2**24 - 1, 2**25 - 2] == starts
    words = (
        "--keep",
        names[2],
        "--state",
        str(state),
        "--format",
        "c",
        "--out",
        str(tmp_path / "x.h"),
    )
    told = bench.make(*words)
    assert "--import-file" in told.err


@pytest.mark.parametrize(
    "words",
    [
        ("--format", "csv", "--out", "a.json"),
        ("--format", "json", "--out", "a.csv"),
        ("--format", "json", "--out", "a.jsonl"),
        ("--format", "cose", "--out", "a.YAML"),
        ("--format", "c", "--out", "a.h", "--import-file", "a.ndjson"),
    ],
)
def test_a_name_that_an_import_takes_for_another_form_is_refused(
    bench: Bench, words: Sequence[str]
) -> None:
    """The next command would fail."""
    done = bench.make("--id", OTHER, *words)
    one_sentence(done, ExitCode.USAGE)
    assert ("an import would refuse it" in done.err, bench.files()) == (True, {})


@pytest.mark.parametrize(
    ("form", "name"),
    [("csv", "a.tsv"), ("csv", "a.txt"), ("json", "a.keys"), ("cose", "a.cbor"), ("yaml", "a.yml")],
)
def test_what_is_said_to_be_next_works(terminal: Terminal, form: str, name: str) -> None:
    """As it is printed."""
    terminal.add_lab()
    made = str(terminal.folder / name)
    done = Bench(terminal.folder).make("--id", OTHER, "--format", form, "--out", made)
    (told,) = (line for line in done.err.splitlines() if line.startswith("next: "))
    assert 0 == terminal.jrc(*shlex.split(told)[2:]).code


def test_what_went_to_standard_output_is_no_next_command(bench: Bench) -> None:
    """It would wait for a standard input that nobody gives it."""
    done = bench.make("--id", OTHER, "--format", "csv", "--out", "-")
    assert (done.code, "next:" in done.err) == (0, False)
