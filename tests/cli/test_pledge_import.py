"""``jrc pledge import`` as an operator meets it: forms, mapping, number of rows, report."""

import csv
import io
import json
import os
import stat
from pathlib import Path

import cbor2
import pytest

from jrc.cli.import_report import report_file
from jrc.errors import ExitCode
from tests.cli.terminal import PLEDGE, Terminal, one_sentence, pledge_file
from tests.daemon.test_secrets import leaks
from tests.service.test_malformed_imports import FOLDER, expected


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """A registrar with a network, to which tests add pledges of their own."""
    terminal = Terminal(tmp_path_factory.mktemp("jrc"))
    terminal.init()
    terminal.add_lab()
    return terminal


def new_row(label: str = "x") -> str:
    return f"{os.urandom(8).hex()},{os.urandom(16).hex()},{label}"


def pledges(terminal: Terminal) -> int:
    return len(terminal.jrc("pledge", "list", "--json").json)


def test_a_vendors_table_is_imported_under_its_own_names(lab: Terminal, tmp_path: Path) -> None:
    """Semicolons, a byte order mark, blanks, a column that nobody wants."""
    file = tmp_path / "vendor.csv"
    identifier, psk = os.urandom(8).hex(":"), os.urandom(16).hex().upper()
    text = f"Device EUI;Install Key;Serial No\r\n{identifier};{psk};17\r\n"
    file.write_bytes(text.encode("utf-8-sig"))
    words = ("pledge", "import", str(file), "--map", "device eui=pledge_id")
    done = lab.jrc(*words)
    assert (done.code, "unknown column 'Install Key'" in done.out) == (ExitCode.FAILED, True)
    done = lab.jrc(*words, "--map", "Install Key=PSK", "--map", "Serial No=", "--json")
    assert (done.code, done.json["added"]) == (0, 1)


@pytest.mark.parametrize(
    ("mapped", "said"),
    [
        (["Key"], "no THEIRS=OURS"),
        (["=psk"], "no THEIRS=OURS"),
        (["Key=pks"], "did you mean psk?"),
        (["Key=psk", "Key=label"], "'Key' is there twice"),
    ],
)
def test_a_wrong_map_is_refused_before_anything_is_read(
    lab: Terminal, mapped: list[str], said: str
) -> None:
    """As a mistake in the command."""
    words = [word for text in mapped for word in ("--map", text)]
    done = lab.jrc("pledge", "import", "-", *words, stdin=b"pledge_id,psk\n")
    assert (done.code, said in done.err) == (ExitCode.USAGE, True)
    assert "Traceback" not in done.err


def test_each_way_out_is_said_once_with_its_first_line(lab: Terminal) -> None:
    """What an error of a row alone does not say."""
    rows = [f"{os.urandom(8).hex()},{os.urandom(16).hex()},nowhere" for _ in range(3)]
    text = "\n".join(("pledge_id,psk,network", new_row("lab"), *rows))
    done = lab.jrc("pledge", "import", "-", stdin=text.encode())
    assert (done.code, done.out.count("there is no network")) == (ExitCode.FAILED, 3)
    assert 1 == done.err.count("`jrc network add` makes one")
    assert "hint: line 3: `jrc network add` makes one" in done.err


def test_cbor_is_imported_from_a_file_and_from_standard_input(
    lab: Terminal, tmp_path: Path
) -> None:
    """By its name, by its contents, and where that is asked for."""
    for number, words in enumerate((("a.cbor",), ("a.bin",), ("-",), ("-", "--format", "cbor"))):
        row = {"pledge_id": os.urandom(8), "psk": os.urandom(16), "label": f"{number}"}
        file = tmp_path / words[0]
        file.write_bytes(cbor2.dumps([row]) if number % 2 else cbor2.dumps(row))
        name = "-" if words[0] == "-" else str(file)
        done = lab.jrc("pledge", "import", name, *words[1:], "--json", stdin=file.read_bytes())
        assert (done.code, done.json["added"]) == (0, 1)


def test_a_cut_off_file_is_told_by_the_number_of_its_rows(lab: Terminal) -> None:
    """Its end is gone between two rows, so that nothing else tells."""
    text = "\n".join(("pledge_id,psk,label", new_row(), new_row(), ""))
    before = pledges(lab)
    words = ("pledge", "import", "-", "--rows")
    done = lab.jrc(*words, "3", "--partial", stdin=text.encode())
    assert (done.code, pledges(lab)) == (ExitCode.FAILED, before)
    assert "the file has 2 rows, and 3 were announced" in done.out
    assert lab.jrc(*words, "2", stdin=text.encode()).code == 0
    assert pledges(lab) == before + 2


def test_a_report_has_a_line_for_each_row(lab: Terminal, tmp_path: Path) -> None:
    """CSV or JSON lines by its name; mode 0600 whatever the mask; a former one is replaced."""
    rows = [new_row("a"), new_row("b"), f"zz,{os.urandom(16).hex()},c"]
    file = pledge_file(tmp_path / "p.csv", rows)
    cases = (("r.csv", "added", ExitCode.PARTLY), ("r.jsonl", "unchanged", ExitCode.FAILED))
    for name, outcome, code in cases:
        report = tmp_path / name
        report.write_text("old\n")
        mask = os.umask(0)
        try:
            done = lab.jrc("pledge", "import", str(file), "--partial", "--report", str(report))
        finally:
            os.umask(mask)
        assert done.code == code
        assert stat.S_IMODE(report.stat().st_mode) == 0o600
        text = report.read_text()
        found = (
            list(csv.DictReader(io.StringIO(text)))
            if name.endswith("csv")
            else [json.loads(line) for line in text.splitlines()]
        )
        assert [list(row) for row in found] == [
            ["line", "pledge_id", "outcome", "key_check", "column", "reason"]
        ] * 3
        assert [(int(row["line"]), row["outcome"]) for row in found] == [
            (2, outcome), (3, outcome), (4, "refused"),
        ]  # fmt: skip
        assert [row["pledge_id"] for row in found] == [rows[0][:16], rows[1][:16], ""]
        assert [len(row["key_check"]) for row in found] == [8, 8, 0]
        assert found[2]["column"] == "pledge_id"
        assert not any(row.split(",")[1] in text for row in rows)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.csv", "r.csv", "r.jsonl"]


def test_a_report_of_a_file_that_was_not_stored_says_so(lab: Terminal, tmp_path: Path) -> None:
    """Good rows are `discarded`; those of a dry run have the outcome that they would have."""
    file = pledge_file(tmp_path / "p.csv", [new_row(), f"{PLEDGE},{'ab' * 16},x"])
    report = tmp_path / "r.csv"
    words = ("pledge", "import", str(file), "--report", str(report))
    for more, outcomes in (
        ((), ["discarded", "refused"]),
        (("--dry-run",), ["added", "refused"]),
        (("--rows", "7", "--partial"), ["discarded", "refused"]),
    ):
        assert lab.jrc(*words, *more).code == ExitCode.FAILED
        rows = list(csv.DictReader(io.StringIO(report.read_text())))
        assert [row["outcome"] for row in rows] == outcomes


def test_a_report_that_can_not_be_written_is_known_before_anything_is_stored(
    lab: Terminal, tmp_path: Path
) -> None:
    """An unknown ending, no such folder, the import file itself."""
    file = pledge_file(tmp_path / "p.csv", [new_row()])
    before = pledges(lab)
    for report in (tmp_path / "r.txt", tmp_path / "none" / "r.csv", file):
        done = lab.jrc("pledge", "import", str(file), "--report", str(report))
        one_sentence(done, ExitCode.FAILED if "none" in str(report) else ExitCode.USAGE)
    assert pledges(lab) == before
    assert file.read_text().startswith("pledge_id")


def test_a_report_in_a_folder_that_is_missing_says_that_nothing_was_stored(
    lab: Terminal, tmp_path: Path
) -> None:
    """Nothing was sent: the audit log has nothing to tell."""
    file = pledge_file(tmp_path / "p.csv", [new_row()])
    done = lab.jrc("pledge", "import", str(file), "--report", str(tmp_path / "none" / "r.csv"))
    assert ("nothing was stored" in done.err, "jrc events" in done.err) == (True, False)


def test_a_row_that_was_overtaken_is_refused_in_the_report(tmp_path: Path) -> None:
    """It was decided, and others were earlier: the registrar has it among the errors."""
    fault = {"line": 3, "column": "pledge_id", "reason": "it is revoked by now", "hint": ""}
    done = {"published": True, "dry_run": False, "errors": [fault]}
    rows = [[2, "02", "replaced", "aa", "", ""], [3, "03", "replaced", "bb", "", ""]]
    with report_file(tmp_path / "r.jsonl", "p.csv") as take:
        for row in rows:
            take(done, [json.dumps(row).encode()])
    text = (tmp_path / "r.jsonl").read_text()
    found = [list(json.loads(line).values()) for line in text.splitlines()]
    assert found == [rows[0], [3, "03", "refused", "", "pledge_id", "it is revoked by now"]]


def test_a_key_in_the_wrong_column_is_not_repeated(lab: Terminal, tmp_path: Path) -> None:
    """Neither by the report nor by what is printed."""
    psk = os.urandom(16)
    file = tmp_path / "p.csv"
    file.write_text(f"EUI,Key\n{PLEDGE},{psk.hex()}\n")
    report = tmp_path / "r.csv"
    words = ("--map", "EUI=psk", "--map", "Key=pledge_id", "--report", str(report))
    done = lab.jrc("pledge", "import", str(file), *words)
    assert done.code == ExitCode.FAILED
    (row,) = csv.DictReader(io.StringIO(report.read_text()))
    assert (row["outcome"], row["pledge_id"], row["column"]) == ("refused", "", "psk")
    assert (
        leaks({"key": psk}, {"report": report.read_bytes(), "said": (done.out + done.err).encode()})
        == []
    )


@pytest.mark.parametrize(("count", "said"), [(0, "0 rows read"), (1, "1 row read, 1 added")])
def test_rows_are_counted_in_words(lab: Terminal, tmp_path: Path, count: int, said: str) -> None:
    """A feed that ended behind its header has none, which is no error and is said."""
    file = pledge_file(tmp_path / "p.csv", [new_row() for _ in range(count)])
    done = lab.jrc("pledge", "import", str(file))
    assert (done.code, said in done.err, "--rows N" in done.err) == (0, True, not count)


def test_an_import_that_is_refused_leaves_no_report(lab: Terminal, tmp_path: Path) -> None:
    """And the former one as it was."""
    report = tmp_path / "r.csv"
    report.write_text("old\n")
    words = ("pledge", "import", "-", "--map", "Key=pks", "--report", str(report))
    assert lab.jrc(*words, stdin=b"pledge_id,psk\n").code == ExitCode.USAGE
    assert [path.name for path in tmp_path.iterdir()] == ["r.csv"]
    assert report.read_text() == "old\n"


@pytest.mark.parametrize(
    "name",
    ["cut-off-array.cbor", "name-twice.json", "nul-in-a-field.csv", "mark-in-the-middle.jsonl",
     "wrong-key-check.csv"],
)  # fmt: skip
def test_a_malformed_file_is_refused_by_the_command(lab: Terminal, name: str) -> None:
    """With exit code 1 and the same row and reason as in the corpus's table."""
    before = pledges(lab)
    done = lab.jrc("pledge", "import", str(FOLDER / name), "--json")
    errors = [(each["line"], each["column"], each["reason"]) for each in done.json["errors"]]
    assert (done.code, errors) == (ExitCode.FAILED, expected()[name])
    assert pledges(lab) == before


def test_a_terminal_sees_what_is_done_and_a_pipe_nothing_but_the_end(
    lab: Terminal, tmp_path: Path
) -> None:
    """Staging, then publishing, with lines a second; without a terminal one line."""
    file = pledge_file(tmp_path / "p.csv", [new_row() for _ in range(300)])
    code, shown = lab.typed("pledge", "import", str(file), "--dry-run")
    assert (code, "staging" in shown) == (0, True)
    done = lab.process("pledge", "import", str(file))
    assert done.err == "stored: 300 rows read, 300 added\n"
    assert done.out == ""
