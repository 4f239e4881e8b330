"""``POST /v1/imports``: how much of a file goes into a transaction."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from jrc.service.imports import CHUNK_ROWS, CLOSER_ROWS, Import
from tests.admin.registrar import Registrar

ROWS = 700
SLOW_S = 0.003
"""Of a row: a transaction that is to work for 15 ms has room for 5 of them."""


@pytest.fixture
def registrar(tmp_path: Path) -> Iterator[Registrar]:
    """A registrar with a network."""
    with Registrar(tmp_path) as made:
        made.add_lab()
        yield made


class Clock:
    """In the place of ``time``: it goes on by what the work says that it has taken."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def perf_counter(self) -> float:
        return self.now_s


class Watched:
    """Says what ``Import.stage`` was given and took, each row of which takes ``row_s``."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.taken: list[int] = []
        self.row_s = self.last_row_s = 0.0
        self.clock, stage = Clock(), Import.stage
        patch.setattr("jrc.admin.imports.time", self.clock)
        patch.setattr(Import, "stage", lambda *given: self._staged(stage, *given))

    def _staged(self, stage: Callable[..., Any], job: Import, tx: Any, *given: Any) -> Any:
        staged = stage(job, tx, *given)
        self.taken.append(staged.taken)
        is_last = staged.taken == len(given[0]) and sum(self.taken) == ROWS
        self.clock.now_s += staged.taken * (self.last_row_s if is_last else self.row_s)
        return staged


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Imports of this test."""
    return Watched(monkeypatch)


def body() -> bytes:
    lines = (f"{number:016x},{os.urandom(16).hex()}" for number in range(ROWS))
    return "\n".join(["pledge_id,psk", *lines]).encode()


def longest_ms(registrar: Registrar, query: dict[str, str], content: bytes) -> int:
    """Of the transactions that staged it, as the log has it."""
    with capture_logs() as logs:
        answer = registrar.call("POST", "/v1/imports", params=query, content=content)
    assert re.search(r'"published": true', answer.text), answer.text
    (told,) = (entry for entry in logs if entry["event"] == "import_staged")
    found = told["longest_transaction_ms"]
    assert isinstance(found, int)
    return found


@pytest.mark.parametrize("query", [{}, {"outcomes": "1"}])
def test_transactions_shrink_until_they_are_short(
    registrar: Registrar, watched: Watched, query: dict[str, str]
) -> None:
    """However slow the rows are, and with a report as well: down to 10 of them."""
    watched.row_s = watched.last_row_s = SLOW_S
    longest = longest_ms(registrar, query, body())
    first, *others, _ = watched.taken
    assert (first, set(others), sum(watched.taken)) == (CHUNK_ROWS, {10}, ROWS)
    assert longest == round(CHUNK_ROWS * SLOW_S * 1000)


@pytest.mark.parametrize("query", [{}, {"outcomes": "1"}])
def test_the_last_transaction_counts_as_well(
    registrar: Registrar, watched: Watched, query: dict[str, str]
) -> None:
    """The longest one is said, whichever it was."""
    watched.last_row_s = 0.5
    longest = longest_ms(registrar, query, body())
    assert longest == watched.taken[-1] * 500


@pytest.mark.parametrize("query", [{}, {"outcomes": "1"}])
def test_rows_of_pledges_that_are_there_begin_with_fewer(
    registrar: Registrar, watched: Watched, query: dict[str, str]
) -> None:
    """They take ten times as long, which is not found out by a first transaction that is long."""
    registrar.call("POST", "/v1/imports", content=body()).raise_for_status()
    watched.taken.clear()
    watched.row_s = watched.last_row_s = 0.0003
    replacing = {**query, "on_conflict": "replace"}
    longest = longest_ms(registrar, replacing, body())
    assert (watched.taken[0], sum(watched.taken)) == (CLOSER_ROWS, ROWS)
    assert longest < 25


def test_a_file_that_turns_to_slow_rows_is_cut_there(
    registrar: Registrar, watched: Watched
) -> None:
    """New rows, then such as are there already: what is left of the chunk waits for the next."""
    old = body()
    registrar.call("POST", "/v1/imports", content=old).raise_for_status()
    watched.taken.clear()
    head, *lines = old.decode().splitlines()
    new = [f"ff{line[2:16]},{os.urandom(16).hex()}" for line in lines[: CHUNK_ROWS - 60]]
    rows = [head, *new, *lines[: ROWS - len(new)]]
    longest_ms(registrar, {}, "\n".join(rows).encode())
    assert watched.taken[0] == CHUNK_ROWS - 60 + CLOSER_ROWS
    assert sum(watched.taken) == ROWS
