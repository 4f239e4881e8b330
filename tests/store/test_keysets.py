"""Rows of generations of keys: their life, and a damaged one."""

import pytest

from jrc.errors import StateError
from jrc.model import KeySetState
from tests.desk import NOW_MS, Desk


@pytest.mark.parametrize(
    ("state", "is_live"),
    [
        (KeySetState.SCHEDULED, True),
        (KeySetState.CURRENT, True),
        (KeySetState.PREVIOUS, True),
        (KeySetState.ABORTED, False),
        (KeySetState.RETIRED, False),
    ],
)
def test_a_generation_goes_on_in_its_life(desk: Desk, state: KeySetState, is_live: bool) -> None:
    """Aborted and retired ones are shown to nobody who installs or hands out keys."""
    desk.network()
    desk.now_ms += 1
    desk.write(lambda tx: tx.keysets.set_state(1, state))
    (generation,) = desk.read(lambda tx: tx.keysets.generations(1))
    assert state is generation.state
    assert is_live == bool(desk.read(lambda tx: tx.keysets.live(1)))
    times = desk.sql("SELECT activated_at_ms, retired_at_ms FROM key_generation")
    activated = desk.now_ms if state is KeySetState.CURRENT else NOW_MS
    assert [(activated, desk.now_ms if state is KeySetState.RETIRED else None)] == times
    assert activated == generation.activated_at_ms


def test_a_damaged_generation_goes_nowhere(desk: Desk) -> None:
    """Sealing it anew would make good what was changed in it."""
    desk.network()
    desk.sql("UPDATE key_generation SET number = 9")
    with pytest.raises(StateError, match="does not authenticate"):
        desk.write(lambda tx: tx.keysets.set_state(1, KeySetState.RETIRED))
