"""Counters and their text for Prometheus."""

from prometheus_client.parser import text_string_to_metric_families

from jrc.admin.metrics import BATCH_BOUNDS, Counters, Gauges, registry_of, text_of
from jrc.errors import Reason
from jrc.service.ports import Metrics


def _samples(counters: Counters, *, ready: bool = True) -> dict[str, float]:
    """All samples by name and labels."""
    gauges = Gauges(
        ready=ready,
        contexts_cached=7,
        pledges={"joined": 3, "revoked": 1},
        short_ids_left={"lab": 32000},
        events=1234,
    )
    text = text_of(registry_of(counters, lambda: gauges, "1.2.3")).decode()
    return {
        sample.name + "".join(f" {k}={v}" for k, v in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


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
    assert found["jrc_datagrams_dropped_total reason=bad_tag"] == 2
    assert found["jrc_datagrams_dropped_total reason=replayed"] == 1


def test_joins_are_counted_by_network_and_result() -> None:
    """A Configuration is `joined`, a protected 4.00 has its reason."""
    counters = Counters()
    counters.answered("lab", None)
    counters.answered("lab", Reason.ROLE_NOT_GRANTED)
    counters.answered('we"ird\n', None)
    counters.resent()
    found = _samples(counters)
    assert found["jrc_joins_total network=lab result=joined"] == 1
    assert found["jrc_joins_total network=lab result=role_not_granted"] == 1
    assert found['jrc_joins_total network=we"ird\n result=joined'] == 1
    assert found["jrc_answers_resent_total"] == 1


def test_batch_sizes_are_a_cumulative_histogram() -> None:
    """Each bucket holds what is at or under its bound; the last one holds all."""
    counters = Counters()
    for size in (1, 2, 3, 64, 1000):
        counters.committed(size)
    found = _samples(counters)
    by_bound = {bound: found[f"jrc_commit_batch_size_bucket le={bound}"] for bound in BATCH_BOUNDS}
    assert by_bound == {1: 1, 2: 2, 4: 3, 8: 3, 16: 3, 32: 3, 64: 4, 128: 4}
    assert found["jrc_commit_batch_size_bucket le=+Inf"] == 5
    assert found["jrc_commit_batch_size_count"] == 5
    assert found["jrc_commit_batch_size_sum"] == 1070
    assert found["jrc_commits_total"] == 5


def test_gauges_are_looked_up_when_somebody_asks() -> None:
    """Readiness, cached contexts, pledges by state, version, memory of the process."""
    found = _samples(Counters(), ready=False)
    assert found["jrc_ready"] == 0
    assert found["jrc_contexts_cached"] == 7
    assert found["jrc_events"] == 1234
    assert found["jrc_pledges state=joined"] == 3
    assert found["jrc_short_identifiers_left network=lab"] == 32000
    assert found["jrc_build_info version=1.2.3"] == 1
    assert found["process_resident_memory_bytes"] > 0


def test_joins_of_the_last_minute_forget_what_is_older() -> None:
    """Samples a second apart; only the last sixty seconds count."""
    counters = Counters()
    counters.sample(0)
    for second in range(1, 100):
        counters.answered("lab", None)
        counters.sample(second)
    assert counters.joins_last_minute() == 60
    assert counters.joins_total == 99
