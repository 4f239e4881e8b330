"""A daemon whose host has another time than it had before (docs/clock.md)."""

import pytest

from tests.daemon.site import Daemon, Site
from tests.daemon.wire import Wire

LATER = ("-m", "tests.daemon.later")
DAY_S = 86_400
YEAR_S = 365 * DAY_S


def number(daemon: Daemon, name: str) -> int:
    found = daemon.api("GET", "/v1/status")[name]
    assert isinstance(found, int)
    return found


@pytest.mark.parametrize(
    "jump_s",
    [
        -10 * YEAR_S,
        *(pytest.param(s, marks=pytest.mark.faults) for s in (-DAY_S, -1, 1, 3600, 400 * DAY_S)),
        50 * YEAR_S,
    ],
)
def test_f03_joins_go_on_whatever_the_clock_says(site: Site, jump_s: int) -> None:
    """RFC 9031 §8.4.4.1: a pledge keeps its identifier, another gets another; no time in the far
    future is written down.
    """
    with site.start() as daemon, Wire(daemon.address) as wire:
        pledge, other = daemon.enroll().pledge(), daemon.enroll().pledge()
        before = wire.join(pledge).short_id
        seen_ms = number(daemon, "clock_high_water_ms")
        assert daemon.stop() == 0
    environ = {"JRC_TEST_LATER_S": str(jump_s)}
    with site.start(LATER, environ=environ) as daemon, Wire(daemon.address) as wire:
        assert before == wire.join(pledge).short_id
        assert before != wire.join(other).short_id
        status = daemon.api("GET", "/v1/status")
        assert status["ready"]
        assert (jump_s > 366 * DAY_S) == (status["clock_doubt"] is not None)
        assert (jump_s <= -DAY_S) <= (status["clock_behind"] is not None)
        later_ms = number(daemon, "clock_high_water_ms")
        assert seen_ms <= later_ms < seen_ms + 2 * DAY_S * 1000
    with site.start() as daemon, Wire(daemon.address) as wire:
        assert before == wire.join(pledge).short_id
        assert daemon.api("GET", "/v1/status")["clock_doubt"] is None
