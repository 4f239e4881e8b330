"""docs/conformance.md names each requirement once, with code and tests that are there."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

CHECKOUT = Path(__file__).parent.parent
PAGE = CHECKOUT / "docs/conformance.md"
LAST = {"A": 8, "B": 10, "C": 13, "D": 5, "E": 10, "F": 5, "G": 2, "H": 2, "P": 9, "M": 4}
"""The requirements that are followed: A1 to A8, B1 to B10, and so on."""
ROWS = frozenset(f"{letter}{number + 1}" for letter, last in LAST.items() for number in range(last))

_STATE = re.compile(r"holds|later(: .+)?|partly: .+")
_TEST = re.compile(r"`([\w/]+\.py)::(test_\w+)`")
_MODULE = re.compile(r"`([^`]*)`")
_ID = re.compile(r"(?<![a-z0-9])([a-z])0*([0-9]{1,2})(?![0-9])")


class Row(NamedTuple):
    """A line of a table; ``tests`` are file and function."""

    id: str
    claim: str
    code: tuple[str, ...]
    tests: tuple[tuple[str, str], ...]
    state: str


def rows_of(text: str) -> Iterator[Row]:
    """Every row of the page's tables, in its order.

    Raises:
        ValueError: a line has another number of cells.
    """
    for line in text.splitlines():
        if re.match(r"\| *[A-Z]\d", line):
            number, claim, code, tests, state = (
                cell.strip() for cell in line.strip().strip("|").split("|")
            )
            yield Row(number, claim, tuple(_MODULE.findall(code)), tuple(found(tests)), state)


def found(text: str) -> list[tuple[str, str]]:
    """The tests that ``text`` names."""
    return [(match[1], match[2]) for match in _TEST.finditer(text)]


@cache
def functions(path: str) -> dict[str, frozenset[str]]:
    """The test functions of a file under tests/, each with the row ids it claims."""
    file = CHECKOUT / "tests" / path
    if not file.is_file():
        return {}
    return {
        node.name: claimed(f"{node.name}\n{ast.get_docstring(node) or ''}")
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def claimed(text: str) -> frozenset[str]:
    """Row ids in a test's name or docstring, in any of their forms: ``c04``, ``C4``."""
    words = text.lower().replace("_", " ")
    return frozenset(letter.upper() + number for letter, number in _ID.findall(words))


def faults(text: str) -> Iterator[str]:
    """What is wrong with the page, a sentence each."""
    rows = list(rows_of(text))
    times = Counter(row.id for row in rows)
    for number in sorted({*ROWS, *times}):
        if times[number] != (number in ROWS):
            yield f"{number} is there {times[number]} times"
    for row in rows:
        yield from _faults_of(row)
    if text.count("::") != len(found(text)):
        yield "a test is not named as `file.py::test_name`"
    for path, name in found(text):
        if name not in functions(path):
            yield f"there is no test {path}::{name}"


def _faults_of(row: Row) -> Iterator[str]:
    if not row.claim:
        yield f"{row.id} says nothing"
    if _STATE.fullmatch(row.state) is None:
        yield f"{row.id} has no state: {row.state!r}"
    for path in row.code:
        if not (CHECKOUT / "jrc" / path).is_file():
            yield f"{row.id} names code that is not there: {path}"
    if row.state.startswith("later"):
        return
    if not row.code:
        yield f"{row.id} names no code"
    if not any(row.id in functions(path).get(name, ()) for path, name in row.tests):
        yield f"{row.id} names no test that has its id"


def test_every_row_names_code_and_tests_that_exist() -> None:
    """Each id once, and a test with that id for all that holds, wholly or in part."""
    assert list(faults(PAGE.read_text())) == []


def line_of(number: str) -> str:
    """The line of a row, as it stands on the page."""
    (line,) = (line for line in PAGE.read_text().splitlines() if line.startswith(f"| {number} |"))
    return line


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (r".*", "", "C8 is there 0 times"),
        (r"(.*)", r"\1\n\1", "C8 is there 2 times"),
        (r"C8", "Z8", "Z8 is there 1 times"),
        (r"\| [^|]* \| `cojp", "| | `cojp", "C8 says nothing"),
        (r"codec\.py", "codecs.py", "C8 names code that is not there: cojp/codecs.py"),
        (r"`cojp/codec\.py`", "—", "C8 names no code"),
        (r"join_request_of", "join_demand_of", "there is no test"),
        (r"test_vectors", "test_victors", "there is no test"),
        (r"::test_c08", "::c08", "a test is not named"),
        (r"`cojp/test_vectors\.py::\w+`", "", "C8 names no test"),
        (r"test_c08_the_\w+", "test_b01_requests_of_real_firmware_verify", "C8 names no test"),
        (r"holds \|$", "mostly |", "C8 has no state"),
        (r"holds \|$", "partly |", "C8 has no state"),
        (r"holds \|$", "partly: |", "C8 has no state"),
    ],
)
def test_a_broken_page_is_noticed(old: str, new: str, fault: str) -> None:
    """Each way in which the page can rot has its sentence."""
    line = line_of("C8")
    broken = re.sub(old, new, line, count=0 if old != r".*" else 1)
    assert broken != line
    assert any(said.startswith(fault) for said in faults(PAGE.read_text().replace(line, broken)))


@pytest.mark.parametrize("state", ["later", "later: the rest", "partly: a part", "holds"])
def test_states_are_told_from_other_words(state: str) -> None:
    """A row that holds in part says what is missing; a later one may say more."""
    row = f"| C8 | claim | `cojp/codec.py` | {line_of('C8').split('|')[4]} | {state} |"
    assert list(faults(PAGE.read_text().replace(line_of("C8"), row))) == []


def test_ids_are_read_in_all_their_forms() -> None:
    """Names have ``c04``, docstrings C4; sections, numbers and hexadecimal are no ids."""
    assert claimed("test_b03_c11_window (row M2)") == {"B3", "C11", "M2"}
    assert claimed("RFC 9031 §8.4, App. B.2, a10542cafe, ac8 and 0c8") == frozenset()
