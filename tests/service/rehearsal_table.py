"""Draws rehearsals into `docs/rollover.md`: `python -m tests.service.rehearsal_table`."""

import re
from pathlib import Path
from typing import Final

from jrc.cojp.exchange import RetransmissionTiming
from jrc.config import Rollover
from jrc.policy.pacing import Pace
from jrc.service.outcomes import Retry
from jrc.service.rehearsal import rehearse, time_text
from jrc.service.rehearsal_mesh import Assumptions, Size
from jrc.service.rehearsal_run import Settings

PAGE: Final = Path(__file__).parents[2] / "docs" / "rollover.md"
TABLE: Final = re.compile(r"(?<=<!-- rehearsed -->\n).*?(?=<!-- end -->)", re.DOTALL)
FASTER: Final = {"rate_bytes_per_s": 2000, "in_flight": 64}
LONG_S: Final = 86_400


def draw() -> str:
    """Sizes of networks, and when each is done; with a deadline that none of them meets."""
    lines = [
        "| 6LNs | kB both ways | no loss | 10 % loss | 10 % loss, faster |",
        "|---|---|---|---|---|",
    ]
    for nodes in (20, 200, 1000, 10_000):
        defaults = [_done(nodes, loss, Rollover()) for loss in (0.0, 0.1)]
        done = [*defaults, _done(nodes, 0.1, Rollover.model_validate(FASTER))]
        kilobytes = round(done[1][1] / 1000)
        cells = [f"{nodes:,}", f"{kilobytes:,}", *(text for text, _ in done)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _done(nodes: int, loss: float, section: Rollover) -> tuple[str, float]:
    """When a network is done, and how many bytes that took."""
    found = rehearse(
        [Size(nodes=nodes, border_routers=1)], _settings(section), Assumptions(loss=loss), runs=3
    )
    assert found.bytes.median is not None
    return time_text(found.done_s.median), found.bytes.median


def _settings(section: Rollover) -> Settings:
    return Settings(
        key_usages=(0,),
        timing=RetransmissionTiming(
            section.ack_timeout_s, section.random_factor, section.max_retransmit
        ),
        pace=Pace(section.rate_bytes_per_s, section.in_flight),
        retry=Retry(section.retry_s, section.retry_max_s),
        quorum_permille=round(section.quorum * 1000),
        deadline_s=LONG_S,
        guard_time_s=section.guard_time_s,
    )


def drawn(page: str) -> str:
    """The table that a page has."""
    found = TABLE.search(page)
    assert found, "the page has no table"
    return found.group()


if __name__ == "__main__":
    PAGE.write_text(TABLE.sub(lambda _: draw(), PAGE.read_text(), count=1))
