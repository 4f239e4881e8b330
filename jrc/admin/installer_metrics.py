"""Metrics of what installers of link-layer keys have done."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client.core import Metric

from jrc.admin.metric_families import FamilyCollector, counter, gauge

_WHICH: Final = ("network", "installer")
_NONE: Final = "without `[[installer]]` in the config"

INSTALLED: Final = gauge(
    "jrc_installer_installed",
    "1 while the radio has the keys in force.",
    *_WHICH,
    unit="0 or 1",
    look="`jrc status` has its last error; `jrc network install NETWORK` runs it now"
    " ([border-router.md](border-router.md)).",
    absent=_NONE,
)
SUCCESSES: Final = counter(
    "jrc_installer_success_total", "Runs that went well.", *_WHICH, unit="runs", absent=_NONE
)
FAILURES: Final = counter(
    "jrc_installer_failures_total", "Runs that failed.", *_WHICH, unit="runs", absent=_NONE
)
LAST: Final = gauge(
    "jrc_installer_last_success_timestamp_seconds",
    "When keys were last put in; its age is `time()` less this.",
    *_WHICH,
    unit="seconds since 1970",
    absent=_NONE,
)
FAMILIES: Final = (INSTALLED, SUCCESSES, FAILURES, LAST)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallerCount:
    """Runs of one installer since the start; ``installed_at_ms`` is of its last good one ever."""

    network: str
    installer: str
    installed: bool
    successes: int
    failures: int
    installed_at_ms: int | None


class InstallerCollector(FamilyCollector):
    """What installers of link-layer keys have done, as ``counts`` gives it."""

    def __init__(self, counts: Callable[[], Sequence[InstallerCount]]) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """All metrics as of now."""
        found = {(each.network, each.installer): each for each in self._counts()}
        if not found:
            return
        yield INSTALLED.samples((which, each.installed) for which, each in found.items())
        yield SUCCESSES.samples((which, each.successes) for which, each in found.items())
        yield FAILURES.samples((which, each.failures) for which, each in found.items())
        yield LAST.samples(
            (which, each.installed_at_ms / 1000)
            for which, each in found.items()
            if each.installed_at_ms is not None
        )
