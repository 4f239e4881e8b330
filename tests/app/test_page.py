"""The page as a part of the daemon: what it does by itself, once a second."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

from jrc import config
from jrc.admin.metrics import Counters
from jrc.app.page import COUNT_EVERY_S, Page
from jrc.errors import Reason

NOW_MS = 1_800_000_000_000
_Work = Callable[[], Awaitable[None]]


class Clock:
    """A time that stands still."""

    def now_ms(self) -> int:
        return NOW_MS


def test_the_joins_of_each_minute_are_counted_for_as_long_as_the_daemon_runs(
    tmp_path: Path,
) -> None:
    """From what the counters of the join path grow by between two looks; also without a port."""
    settings = config.parse('[database]\nurl = "sqlite:///jrc.db"\n', path=f"{tmp_path}/x.toml")
    counters = Counters()
    repeated: list[tuple[float, _Work]] = []
    page = Page(
        settings,
        cast(Any, Clock()),
        cast(Any, None),
        counters,
        cast(Any, None),
        lambda every_s, work: repeated.append((every_s, work)),
    )

    async def live() -> None:
        await page.start()
        ((every_s, look),) = repeated
        assert every_s == COUNT_EVERY_S
        await look()
        for reason in (None, None, Reason.WINDOW_CLOSED):
            counters.answered("lab", reason)
        counters.dropped(Reason.BAD_TAG)
        await look()

    asyncio.run(live())
    (minute,) = vars(page)["_parts"].minutes.report()
    assert (2, 1, 1) == (minute["joined"], minute["refused"], minute["unanswered"])
