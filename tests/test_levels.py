"""The core neither waits nor looks, beyond what import contracts can say."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

JRC = Path(__file__).parent.parent / "jrc"
CORE = sorted(
    [JRC / "model.py", JRC / "errors.py"]
    + [p for package in ("cojp", "policy") for p in (JRC / package).rglob("*.py")]
)
ALLOWED = sys.stdlib_module_names | {"jrc", "cbor2", "cryptography"}
LOOKS = {"asyncio", "logging", "os", "random", "secrets", "socket", "sqlite3", "subprocess"} | {
    "threading",
    "time",
}


def imported(tree: ast.AST) -> Iterator[str]:
    """The top-level modules that ``tree`` imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]


@pytest.mark.parametrize("path", CORE, ids=lambda p: str(p.relative_to(JRC)))
def test_the_core_has_no_clock_randomness_io_or_async(path: Path) -> None:
    """Time and random bytes come in as arguments; what should happen goes out as values."""
    tree = ast.parse(path.read_text())
    modules = set(imported(tree))
    assert set() == modules - ALLOWED
    assert set() == modules & LOOKS
    waits = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    assert [node for node in ast.walk(tree) if isinstance(node, waits)] == []
