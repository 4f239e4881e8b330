"""What the host does to the registrar, as Prometheus reads it."""

import pytest
from prometheus_client import CollectorRegistry

from jrc.admin.host_metrics import HostCollector, HostFigures
from jrc.admin.metrics import text_of
from jrc.errors import Cause


def samples(**changed: object) -> dict[str, float]:
    """The samples, by name and labels as they are written."""
    given: dict[str, object] = {
        "troubles": [Cause.LOCKED],
        "begun": {**dict.fromkeys(Cause, 0), Cause.LOCKED: 3},
        "datagrams_lost": 5,
        "log_lines_lost": 7,
        "free_bytes": 4096,
    }
    registry = CollectorRegistry(auto_describe=False)
    registry.register(HostCollector(lambda: HostFigures(**{**given, **changed})))  # type: ignore[arg-type]
    lines = [line for line in text_of(registry).decode().splitlines() if line[:1] != "#"]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


@pytest.mark.parametrize("cause", Cause)
def test_each_cause_is_there_whether_it_stands_or_not(cause: Cause) -> None:
    """An alert needs the zero as well."""
    found = samples()
    assert float(cause is Cause.LOCKED) == found[f'jrc_trouble{{cause="{cause}"}}']
    assert 3.0 * (cause is Cause.LOCKED) == found[f'jrc_troubles_total{{cause="{cause}"}}']


def test_what_was_lost_is_counted() -> None:
    """Datagrams, log lines, and the room that is left; where that is not known nothing is said."""
    found = samples()
    assert (5.0, 7.0) == (found["jrc_datagrams_lost_total"], found["jrc_log_lines_lost_total"])
    assert 4096.0 == found["jrc_disk_free_bytes"]
    assert "jrc_disk_free_bytes" not in samples(free_bytes=None)
