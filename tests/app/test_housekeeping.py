"""What the daemon does by itself: how often it counts for whoever looks often."""

import asyncio
from typing import Any, cast

import pytest

from jrc.admin.metrics import Counters
from jrc.app import housekeeping
from jrc.app.housekeeping import Housekeeping
from jrc.service.survey import Survey

COUNTING_S = 0.01


def test_what_takes_long_to_count_is_counted_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks again and again is told what was counted last; `jrc status` counts now."""
    counted = 0

    async def look_around() -> Survey:
        nonlocal counted
        counted += 1
        await asyncio.sleep(COUNTING_S)
        return Survey(events=counted)

    async def nothing() -> None:
        return None

    async def run() -> list[int]:
        monkeypatch.setattr(housekeeping, "RECENT_SHARE", 1e-6)
        keeping = Housekeeping(
            Counters(), nothing, look_around, nothing, cast(Any, None), cast(Any, None)
        )
        found = [await keeping.recent(), await keeping.recent(), await keeping.count()]
        monkeypatch.setattr(housekeeping, "RECENT_SHARE", 1e6)
        found += [await keeping.count(), await keeping.recent()]
        return [each.events for each in found]

    assert asyncio.run(run()) == [1, 1, 2, 3, 4]
