"""Counters and their text for Prometheus."""

from jrc.admin.histogram import BATCH_BOUNDS
from jrc.admin.join_metrics import JoinCollector
from jrc.admin.metrics import Counters
from jrc.errors import Reason
from jrc.service.ports import Metrics, WriterMeter
from tests.admin.scraped import samples_of


def _samples(counters: Counters, *networks: str) -> dict[str, float]:
    return samples_of(JoinCollector(counters, lambda: networks))


def test_b06_each_dropped_datagram_is_counted_by_reason() -> None:
    """RFC 9031 §7.3.2: silence outside, a counter inside."""
    counters: Metrics = Counters()
    counters.received(3)
    counters.dropped(Reason.BAD_TAG)
    counters.dropped(Reason.BAD_TAG)
    counters.dropped(Reason.REPLAYED)
    assert isinstance(counters, Counters)
    counters.send_failed()
    found = _samples(counters)
    assert found["jrc_send_failures_total"] == 1
    assert found["jrc_datagrams_received_total"] == 3
    assert found['jrc_datagrams_dropped_total{reason="bad_tag"}'] == 2
    assert found['jrc_datagrams_dropped_total{reason="replayed"}'] == 1


def test_joins_are_counted_by_network_and_result() -> None:
    """A Configuration is `joined`, a protected 4.00 has its reason."""
    counters = Counters()
    counters.answered("lab", None)
    counters.answered("lab", Reason.ROLE_NOT_GRANTED)
    counters.answered('we"ird\n', None)
    counters.resent()
    found = _samples(counters)
    assert found['jrc_joins_total{network="lab",result="joined"}'] == 1
    assert found['jrc_joins_total{network="lab",result="role_not_granted"}'] == 1
    assert found['jrc_joins_total{network="we\\"ird\\n",result="joined"}'] == 1
    assert found["jrc_answers_resent_total"] == 1


def test_a_network_that_nobody_has_joined_has_a_zero() -> None:
    """A rate needs one to begin at; what was counted stays, also of a network that was removed."""
    counters = Counters()
    counters.answered("old", None)
    found = _samples(counters, "lab")
    assert 0 == found['jrc_joins_total{network="lab",result="joined"}']
    assert 1 == found['jrc_joins_total{network="old",result="joined"}']


def test_batch_sizes_are_a_cumulative_histogram() -> None:
    """Each bucket holds what is at or under its bound; the last one holds all."""
    counters = Counters()
    for size in (1, 2, 3, 64, 1000):
        counters.committed(size)
    found = _samples(counters)
    by_bound = {
        bound: found[f'jrc_commit_batch_size_bucket{{le="{bound}"}}'] for bound in BATCH_BOUNDS
    }
    assert by_bound == {1: 1, 2: 2, 4: 3, 8: 3, 16: 3, 32: 3, 64: 4, 128: 4}
    assert found['jrc_commit_batch_size_bucket{le="+Inf"}'] == 5
    assert found["jrc_commit_batch_size_count"] == 5
    assert found["jrc_commit_batch_size_sum"] == 1070
    assert found["jrc_commits_total"] == 5


def test_the_wait_for_the_disk_is_told_from_the_whole_transaction() -> None:
    """In seconds, and the time at work by what it was for."""
    meter: WriterMeter = Counters()
    meter.transacted(0.012, 0.0015)
    meter.worked(0.013, at_joins=True)
    meter.worked(0.5, at_joins=False)
    assert isinstance(meter, Counters)
    found = _samples(meter)
    assert found['jrc_commit_duration_seconds_bucket{le="0.001"}'] == 0
    assert found['jrc_commit_duration_seconds_bucket{le="0.002"}'] == 1
    assert found["jrc_commit_duration_seconds_sum"] == 0.0015
    assert found['jrc_transaction_duration_seconds_bucket{le="0.01"}'] == 0
    assert found['jrc_transaction_duration_seconds_bucket{le="0.02"}'] == 1
    assert found['jrc_writer_busy_seconds_total{work="joins"}'] == 0.013
    assert found['jrc_writer_busy_seconds_total{work="changes"}'] == 0.5


def test_joins_of_the_last_minute_forget_what_is_older() -> None:
    """Samples a second apart; only the last sixty seconds count."""
    counters = Counters()
    counters.sample(0)
    for second in range(1, 100):
        counters.answered("lab", None)
        counters.sample(second)
    assert counters.joins_last_minute() == 60
    assert counters.joins_total == 99
