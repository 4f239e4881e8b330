"""SIGKILL in the middle of rollovers: it always goes on, and no number or key id comes twice.

``JRC_ROLLOVER_KILLS`` sets the number of kills at random moments; the long form has every
transition killed, before its commit and after it.
"""

from pathlib import Path

import pytest

from tests.daemon.rolling import Orders, Report
from tests.faults.form import IS_LONG, SEED, figure, needs_namespace
from tests.unshared import run_inside

pytestmark = [pytest.mark.faults, needs_namespace]

KILLS = figure("JRC_ROLLOVER_KILLS", short=5, long=200)
WHEN = ("before", "after") if IS_LONG else ("before",)
PATIENCE_S = 120.0
A_KILL_S = 20.0
"""Of patience for each."""
NODES = 12
PHASES = (
    *("switching", "done", "aborted"),
    *(("distributing", "guarding", "paused") if IS_LONG else ()),
)


def carry_out(folder: Path, orders: Orders) -> Report:
    patience_s = PATIENCE_S + orders.kills * A_KILL_S
    arguments = (str(folder / "site"), orders.to_json())
    return Report.of(run_inside("tests.daemon.rolling", *arguments, patience_s=patience_s))


def check(report: Report) -> None:
    """All is as the last rollover wanted it."""
    assert (report.phase, report.faults, report.lost) == ("done", [], 0)
    assert set(report.states.values()) == {"reached"}
    assert set(report.holders) == report.states.keys()


def test_e06_b04_kills_at_random_moments_repeat_no_number_and_no_key_id(tmp_path: Path) -> None:
    """RFC 9031 §7.3.1, §8.4.3.1: the nodes are the witness, and outlive every registrar."""
    report = carry_out(tmp_path, Orders(nodes=NODES, kills=KILLS, seed=SEED))
    check(report)
    assert report.resumed > KILLS // 2


@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("phase", PHASES)
def test_e06_a_kill_in_any_transition_loses_nothing(tmp_path: Path, phase: str, when: str) -> None:
    """It is in the phase before or in the one after, and goes on from there (RFC 9031 §8.3.3)."""
    check(carry_out(tmp_path, Orders(nodes=NODES // 2, loss=0.0, dies_in=phase, when=when)))
