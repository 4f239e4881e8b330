"""Counts by size, cheap enough for the join path."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

BATCH_BOUNDS: Final = (1, 2, 4, 8, 16, 32, 64, 128)
"""Requests that share a commit."""
DURATION_BOUNDS_S: Final = (
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0
)  # fmt: skip
"""From a good SSD, which syncs in a millisecond, to a card that is about to give up."""


class Histogram:
    """How many values were at or under each of ``bounds`` and over the one before it.

    ``counts`` has one more, for what is over all of them; ``total`` is the sum of the values. One
    thread may observe while others read.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total: float = 0

    def observe(self, value: float) -> None:
        """One more."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value
