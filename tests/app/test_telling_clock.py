"""Who is told what while the clock is doubted, or was set back; in virtual time (docs/clock.md)."""

from pathlib import Path

from jrc.app.updates import MAX_REST_S
from jrc.policy.rollover import Phase
from tests.app.test_telling_held import Flights
from tests.rolling import Rig, experiment, in_phase

TEN_YEARS_S = 10 * 365 * 86_400
DOUBT = "the clock has gone forward by 9 h, and no time service says that it is right"


def test_nobody_is_told_anything_while_the_clock_is_doubted(tmp_path: Path) -> None:
    """It is said why, and goes on by itself when the doubt is over."""

    async def work(rig: Rig) -> None:
        flights = Flights(rig)
        updates = rig.registrar.updates
        updates._clock_doubt = lambda: DOUBT
        await rig.roll()
        await rig.rest(300)
        assert (0, DOUBT) == (flights.count(), updates.trouble)
        updates._clock_doubt = lambda: None
        await rig.until(in_phase(rig, Phase.DONE))
        assert updates.trouble is None

    experiment(tmp_path, work)


def test_a_clock_that_was_wrong_for_a_while_delays_nobody_for_long(tmp_path: Path) -> None:
    """What is due by the clock is not waited for by it alone: there may be years in between."""

    async def work(rig: Rig) -> None:
        updates = rig.registrar.updates
        await rig.rest(1)
        updates._turns.has_rollover = False
        updates._due_ms = rig.registrar.now_ms() + 1000 * TEN_YEARS_S
        assert MAX_REST_S == updates._wait_s()

    experiment(tmp_path, work)
