"""What the host does to the registrar, as Prometheus reads it."""

import pytest

from jrc.admin.host_metrics import HostCollector, HostFigures
from jrc.errors import Cause
from tests.admin.scraped import samples_of


def samples(**changed: object) -> dict[str, float]:
    """The samples, by name and labels as they are written."""
    given: dict[str, object] = {
        "troubles": [Cause.LOCKED],
        "begun": {**dict.fromkeys(Cause, 0), Cause.LOCKED: 3},
        "datagrams_lost": 5,
        "queued_bytes": 11,
        "queue_bytes": 13,
        "log_lines_lost": 7,
        "free_bytes": 4096,
        "disk_bytes": 8192,
        "database_bytes": 1024,
        "wal_bytes": 0,
    }
    return samples_of(HostCollector(lambda: HostFigures(**{**given, **changed})))  # type: ignore[arg-type]


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
    assert 11.0 == found["jrc_receive_queue_bytes"]
    assert 13.0 == found["jrc_receive_queue_capacity_bytes"]
    assert 4096.0 == found["jrc_disk_free_bytes"]
    assert "jrc_disk_free_bytes" not in samples(free_bytes=None)


def test_sizes_are_there_where_they_are_known() -> None:
    """An empty log is 0 bytes; a database on a server has none here."""
    found = samples()
    assert (1024.0, 0.0) == (found["jrc_database_size_bytes"], found["jrc_database_wal_size_bytes"])
    assert 8192.0 == found["jrc_disk_size_bytes"]
    served = samples(database_bytes=None, wal_bytes=None)
    assert not [name for name in served if name.startswith("jrc_database")]
