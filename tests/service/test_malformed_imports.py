"""A corpus of malformed import files: each is refused with the row, the column and the reason."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from jrc.service.import_file import format_of, read_rows
from jrc.service.import_rows import Row, RowError
from jrc.service.imports import Import
from tests.desk import ACTOR, Desk

FOLDER = Path(__file__).with_name("malformed")


def expected() -> dict[str, list[tuple[int, str, str]]]:
    """The table: file, row, column, reason; a line for each error."""
    lines = (FOLDER / "expected.tsv").read_text().splitlines()[1:]
    cells = [line.split("\t") for line in lines]
    return {
        name: [(int(row), column, reason) for _, row, column, reason in errors]
        for name, errors in groupby(cells, lambda entry: entry[0])
    }


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A database with one network, in which nothing is ever stored."""
    desk = Desk(tmp_path_factory.mktemp("desk"))
    desk.network()
    yield desk
    desk.database.close()


def entries(path: Path, size: int) -> list[Row | RowError]:
    """What is read of a file that comes in pieces of ``size`` bytes."""
    data = path.read_bytes()
    pieces = (data[at : at + size] for at in range(0, len(data), size))
    return list(read_rows(pieces, format_of(path.name)))


def errors_of(desk: Desk, path: Path) -> list[RowError]:
    """All errors of a file, those of its keys included."""
    job = Import(path.name, actor=ACTOR)
    desk.write(job.begin)
    desk.write(lambda tx: job.stage(tx, entries(path, 64 * 1024)))
    report = desk.write(job.finish)
    assert not report.published
    while desk.write(job.sweep):
        pass
    return list(report.errors)


def test_every_file_of_the_corpus_is_in_the_table() -> None:
    """And more than sixty of them are there, in all forms."""
    files = {path.name for path in FOLDER.iterdir()} - {"expected.tsv"}
    assert files == set(expected())
    assert len(files) >= 60
    assert {name.rpartition(".")[2] for name in files} == {
        "csv",
        "json",
        "jsonl",
        "cbor",
        "cose",
        "yaml",
    }


@pytest.mark.parametrize("name", sorted(expected()))
def test_a_malformed_file_is_refused_with_row_and_reason(desk: Desk, name: str) -> None:
    """Whole or in pieces; nothing of it is stored, and no error repeats a key."""
    path = FOLDER / name
    found = errors_of(desk, path)
    assert [tuple(error[:3]) for error in found] == expected()[name]
    assert not any("8c1d5f0ba7e3" in str(error) for error in found)
    assert entries(path, 997) == entries(path, 64 * 1024)
