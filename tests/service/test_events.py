"""Which events may be asked for."""

import ast
import re
from pathlib import Path

import pytest

import jrc.service
from jrc.errors import ExitCode, OperatorError
from jrc.model import Event
from jrc.service.events import KINDS, check_known, list_events
from jrc.service.networks import remove_network
from tests.desk import ACTOR, Desk

_KIND = re.compile(
    r"(border_router|import|installer|key_generation|network|node|pledge|rollover|window)\.[a-z_]+"
)


def known(desk: Desk, *, kind: str | None = None, network: str | None = None) -> None:
    desk.read(lambda tx: check_known(tx, kind=kind, network=network))


def test_every_kind_that_the_program_writes_is_known() -> None:
    """Each string in the use cases that has the form of one."""
    written = {
        node.value
        for path in Path(jrc.service.__path__[0]).glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and _KIND.fullmatch(node.value)
    }
    assert len(written) > 20
    assert written <= KINDS
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
