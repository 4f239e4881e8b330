"""``POST /v1/imports?outcomes=1``: a line for each row behind the answer."""

import asyncio
import json
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from jrc.admin.import_spool import Spool
from jrc.errors import OperatorError
from jrc.service.import_report import RowOutcome
from tests.admin.registrar import Registrar

FULL = Path("/dev/full")


@pytest.fixture
def registrar(tmp_path: Path) -> Iterator[Registrar]:
    """A registrar with a network."""
    with Registrar(tmp_path) as made:
        made.add_lab()
        yield made


def body(count: int) -> bytes:
    rows = [f"{number:016x},{os.urandom(16).hex()}" for number in range(count)]
    return "\n".join(("Device EUI,psk", *rows)).encode()


def test_outcomes_are_lines_behind_the_answer(registrar: Registrar) -> None:
    """Of rows that took several transactions, in their order."""
    query = {"outcomes": "1", "map": json.dumps({"device eui": "pledge_id"}), "rows": "600"}
    answer = registrar.call("POST", "/v1/imports", params=query, content=body(600))
    first, *rows = (json.loads(line) for line in answer.text.splitlines())
    assert (first["published"], first["added"]) == (True, 600)
    assert [row[0] for row in rows] == list(range(2, 602))
    assert {(row[2], row[4], row[5]) for row in rows} == {("added", "", "")}
    assert rows[9][1] == f"{9:016x}"


@pytest.mark.parametrize("text", ["x", "[]", '{"a": 1}', '{"a": "pks"}', "[" * 5000])
def test_a_map_that_is_none_is_refused(registrar: Registrar, text: str) -> None:
    """In one sentence, and nothing is stored."""
    answer = registrar.call("POST", "/v1/imports", params={"map": text}, content=body(1))
    assert answer.status_code == 400
    assert "map" in answer.json()["error"]
    assert registrar.call("GET", "/v1/pledges").json()["pledges"] == []


def test_an_import_whose_outcomes_have_no_room_stores_nothing(
    registrar: Registrar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full: refused in a sentence, and what was staged is swept."""
    monkeypatch.setattr(
        "jrc.admin.import_spool.TemporaryFile", lambda **_place: FULL.open("r+b", buffering=0)
    )
    answer = registrar.call("POST", "/v1/imports", params={"outcomes": "1", "map":
                            '{"Device EUI": "pledge_id"}'}, content=body(300))  # fmt: skip
    assert answer.status_code == 422
    assert "No space left on device" in answer.json()["error"]
    assert registrar.call("GET", "/v1/pledges").json()["pledges"] == []


def test_a_spool_leaves_no_file_and_says_where_none_can_be_made(tmp_path: Path) -> None:
    """It has no name from the beginning."""
    with Spool(tmp_path) as spool:
        spool.add([RowOutcome(2, "00", "added", "1a2b3c4d", "", "")])
        assert list(tmp_path.iterdir()) == []
    with pytest.raises(OperatorError, match="can't be kept"):
        Spool(tmp_path / "none")


def test_memory_does_not_grow_with_the_number_of_rows(tmp_path: Path) -> None:
    """Outcomes wait on the disk, on their way in and out."""

    async def size(spool: Spool) -> int:
        return sum([len(piece) async for piece in spool.pieces()])

    tracemalloc.start()
    try:
        spool = Spool(tmp_path)
        for at in range(0, 20_000, 250):
            spool.add([RowOutcome(at + n, "00" * 8, "added", "00" * 4, "", "") for n in range(250)])
        total = asyncio.run(size(spool))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total > 20_000 * 45
    assert peak < 600_000
