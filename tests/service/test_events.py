"""Which events may be asked for."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import jrc
from jrc.errors import ExitCode, OperatorError
from jrc.model import Event
from jrc.service.events import KINDS, check_known, list_events
from jrc.service.networks import remove_network
from tests.desk import ACTOR, Desk

_KIND = re.compile(
    r"(backup|border_router|database|events|import|installer|key_generation|keys|network|node"
    r"|pledge|rollover|window)\.[a-z_]+"
)


def known(desk: Desk, *, kind: str | None = None, network: str | None = None) -> None:
    desk.read(lambda tx: check_known(tx, kind=kind, network=network))


def _words(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _said_at_once(tree: ast.AST) -> Iterator[str]:
    """First arguments of each ``Event(...)``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "Event":
            yield from (_words(node.args[0]) if node.args else ())


def test_every_kind_that_the_program_writes_is_known() -> None:
    """Each string in the use cases that has the form of one, and each that an event begins with."""
    written: set[str] = set()
    for path in Path(jrc.__path__[0]).rglob("*.py"):
        tree = ast.parse(path.read_text())
        words = _words(tree) if path.parent.name == "service" else _said_at_once(tree)
        written |= {word for word in words if _KIND.fullmatch(word)}
    assert len(written) > 30
    assert written - KINDS == set()
    assert {"pledge.added", "pledge.replaced", "rollover.paused", "rollover.started"} <= KINDS


def test_a_kind_that_there_is_may_have_no_entry_yet(desk: Desk) -> None:
    """A script that asks for revocations gets none, and no error."""
    known(desk, kind="pledge.revoked")
    assert desk.read(lambda tx: list_events(tx, kind="pledge.revoked")) == []


@pytest.mark.parametrize(
    ("kind", "said", "hint"),
    [
        ("pledge.revokd", "did you mean pledge.revoked?", "pledge.removed"),
        ("pledge", "no event is of the kind 'pledge'", "pledge.revoked"),
        ("foo", "no event is of the kind 'foo'", "pledge.*"),
    ],
)
def test_an_unknown_kind_is_refused_with_those_that_there_are(
    desk: Desk, kind: str, said: str, hint: str
) -> None:
    """Those of its group, or the groups."""
    with pytest.raises(OperatorError) as refusal:
        known(desk, kind=kind)
    assert refusal.value.exit_code is ExitCode.USAGE
    assert said in refusal.value.message
    assert hint in refusal.value.hint


def test_a_kind_of_former_days_is_known_by_its_entry(desk: Desk) -> None:
    """The log outlives versions of the program."""
    desk.write(lambda tx: tx.record(Event("pledge.blessed", ACTOR)))
    known(desk, kind="pledge.blessed")


def test_a_network_is_known_while_there_is_it_or_an_entry_of_it(desk: Desk) -> None:
    """A removed one still has its history."""
    desk.network()
    desk.write(lambda tx: remove_network(tx, "lab", actor=ACTOR, agreed=True))
    known(desk, network="lab")
    with pytest.raises(OperatorError, match="there is no network 'hall'"):
        known(desk, network="hall")
