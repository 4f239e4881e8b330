"""What the loop knows of App. B.2 runs is bounded (rows B7, S6)."""

from jrc.cojp.recovery import kid_contexts_of
from jrc.service.open_runs import MAX_KNOWN, RUN_LIFETIME_MS, OpenRun, OpenRuns


def run(number: int, at_ms: int = 0) -> OpenRun:
    return OpenRun(number.to_bytes(16), number.to_bytes(16), at_ms)


def test_b07_a_run_is_found_by_r2_and_by_request_1() -> None:
    """RFC 8613 App. B.2 step 4; row C11 for copies of request #1."""
    runs = OpenRuns()
    runs.add([run(1)])
    raw, wrapped = kid_contexts_of((1).to_bytes(16) + bytes(8))
    assert runs.might_name(raw)
    assert runs.might_name(wrapped)
    assert not runs.might_name((2).to_bytes(16) + bytes(8))
    assert (1).to_bytes(16) == runs.r2_for((1).to_bytes(16))
    runs.drop((1).to_bytes(16))
    assert not runs.might_name(raw)
    assert runs.r2_for((1).to_bytes(16)) is None


def test_b07_what_is_old_is_forgotten() -> None:
    """RFC 8613 App. B.2.1: a timer clears what is never completed."""
    runs = OpenRuns()
    runs.add([run(1, 0), run(2, 5), run(3, RUN_LIFETIME_MS + 1)])
    assert 2 == len(runs)


def test_s06_no_more_are_known_than_there_is_room_for() -> None:
    """RFC 8974 §5.1: memory is bounded whatever comes."""
    runs = OpenRuns()
    runs.add(run(number) for number in range(MAX_KNOWN + 3))
    assert MAX_KNOWN == len(runs)
    assert runs.r2_for((2).to_bytes(16)) is None
    assert runs.r2_for((3).to_bytes(16)) is not None


def test_b07_a_clock_that_went_back_forgets_and_does_not_fail() -> None:
    """Row O7: liveness alone: the pledge begins again."""
    runs = OpenRuns()
    runs.add([run(1, 5000), run(2, 10)])
    assert runs.r2_for((2).to_bytes(16)) is not None


def test_b07_an_old_run_takes_nothing_from_a_later_one_with_the_same_request_1() -> None:
    """A context that was lost once more begins a run for a request that began one before."""
    runs = OpenRuns()
    runs.add([OpenRun(b"a" * 16, b"d", 0), OpenRun(b"b" * 16, b"d", 1)])
    runs.drop(b"a" * 16)
    assert b"b" * 16 == runs.r2_for(b"d")
    runs.drop(b"b" * 16)
    assert runs.r2_for(b"d") is None
