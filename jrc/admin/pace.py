"""How much goes into one transaction, so that joins wait for none of them long."""

AIM_MS = 15.0
"""The work of one transaction. Its commit comes on top, which takes what the disk takes: smaller
transactions would only mean more of them."""
_MOST_GROWTH = 1.25


class Pace:
    """``size`` is for the next transaction; ``took`` tells how long the last one was.

    ``longest_ms`` is the longest so far, its commit included.
    """

    def __init__(self, size: int, least: int, most: int) -> None:
        self.size = size
        self.longest_ms = 0.0
        self._least = least
        self._most = most

    def took(self, size: int, work_ms: float, commit_ms: float) -> None:
        """A transaction of this size took so long."""
        self.longest_ms = max(self.longest_ms, work_ms + commit_ms)
        wanted = size * AIM_MS / max(work_ms, 1.0)
        grown = min(wanted, self._most, self.size * _MOST_GROWTH + 1)
        self.size = int(max(grown, self._least))
