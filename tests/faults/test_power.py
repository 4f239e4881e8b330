"""Power cuts in a join storm: whatever had left the registrar is on the disk that is left.

``JRC_POWER_STATES`` sets the number of crash states.
"""

from pathlib import Path

import pytest

from tests.faults.form import IS_LONG, SEED, figure, needs_namespace, needs_strace
from tests.faults.power import Orders

pytestmark = [pytest.mark.faults, needs_namespace, needs_strace]

STATES = figure("JRC_POWER_STATES", short=60, long=2000)
SECONDS = 6.0 if IS_LONG else 2.0
BROKEN_STATES = 40
FAULTS = (
    "instance_file_unsynced",
    *(
        ("synchronous_normal", "answer_before_commit", "window_in_memory", "instance_file_ahead")
        if IS_LONG
        else ()
    ),
)


def test_b03_no_power_cut_takes_back_what_was_said(tmp_path: Path) -> None:
    """RFC 9031 §7.3.1: answers, updates, imports and revocations; and the database opens."""
    report = Orders(states=STATES, seconds=SECONDS, seed=SEED).carry_out(tmp_path)
    print(report)
    assert (STATES, 0, []) == (report.states, report.faulty, report.examples)
    assert report.answers > 100
    assert report.acknowledged > 0
    assert report.started > 0


@pytest.mark.parametrize("fault", FAULTS)
def test_the_power_cuts_show_a_daemon_that_is_broken(tmp_path: Path, fault: str) -> None:
    """A check that can't fail says nothing."""
    orders = Orders(
        states=BROKEN_STATES,
        started=BROKEN_STATES,
        seconds=2.0,
        seed=SEED,
        fault=f"checkpoints_often+{fault}",
    )
    assert orders.carry_out(tmp_path).faulty > 0
