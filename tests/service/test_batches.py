"""One batch at a time; what comes meanwhile forms the next."""

from typing import Any

from jrc.service.batches import MAX_BATCH, Batches


def test_m02_requests_that_come_during_a_commit_form_the_next_batch() -> None:
    """In the order they came; nothing is handed over twice or empty."""
    handed: list[list[Any]] = []
    batches = Batches(handed.append)
    batches.turn()
    assert not batches
    batches.add(1)  # type: ignore[arg-type]
    batches.turn()
    for number in (2, 3):
        batches.add(number)  # type: ignore[arg-type]
        batches.turn()
    assert [[1]] == handed
    batches.done()
    assert batches
    batches.turn()
    assert [[1], [2, 3]] == handed
    assert batches
    batches.done()
    batches.turn()
    assert [[1], [2, 3]] == handed
    assert not batches


def test_a_batch_is_bounded() -> None:
    """What is more waits for the next one."""
    handed: list[list[Any]] = []
    batches = Batches(handed.append)
    for number in range(MAX_BATCH + 1):
        batches.add(number)  # type: ignore[arg-type]
    batches.turn()
    batches.done()
    batches.turn()
    assert [list(range(MAX_BATCH)), [MAX_BATCH]] == handed
