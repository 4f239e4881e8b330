"""Sequence numbers, both ways: the window for received ones, reserved blocks for our own.

RFC 9031 §7.3.1, RFC 8613 §3.2.2, §7.4 and Appendix B.1.1. Values in, values out: who calls stores
what comes back before acting on it.
"""

from typing import Final, NamedTuple

from jrc.cojp.constants import MAX_SEQUENCE_NUMBER, NUMBERS_EPOCH_S, REPLAY_WINDOW_SIZE
from jrc.errors import OperatorError, StateError

_MASK: Final = (1 << REPLAY_WINDOW_SIZE) - 1


class ReplayWindow(NamedTuple):
    """Which numbers were accepted: bit i of ``bits`` stands for ``highest - i``.

    ``highest`` is -1 before the first. Both are stored as integers.
    """

    highest: int = -1
    bits: int = 0

    def is_fresh(self, number: int) -> bool:
        """Whether the number may still be accepted (RFC 8613 §7.4)."""
        age = self.highest - number
        if age < 0:
            return number <= MAX_SEQUENCE_NUMBER
        return number >= 0 and age < REPLAY_WINDOW_SIZE and not self.bits >> age & 1

    def accept(self, number: int) -> "ReplayWindow":
        """The window after this number; only for a message whose tag verified (RFC 8613 §8.2).

        Raises:
            StateError: the number is not fresh.
        """
        if not self.is_fresh(number):
            raise StateError(f"sequence number {number} was accepted before, or is out of bounds")
        ahead = number - self.highest
        if ahead <= 0:
            return ReplayWindow(self.highest, self.bits | 1 << -ahead)
        if ahead >= REPLAY_WINDOW_SIZE:
            return ReplayWindow(number, 1)
        return ReplayWindow(number, (self.bits << ahead | 1) & _MASK)


class NumberBlock(NamedTuple):
    """Sender sequence numbers ``first`` to ``reserved - 1``, ours once ``reserved`` is on disk.

    A number is due from the second since 2026-01-01 on that it equals. So no number was ever
    used above those seconds, and one taken from an old database at a later second, which starts
    at that second, repeats none.
    """

    first: int
    reserved: int

    def __bool__(self) -> bool:
        """Whether there are numbers left."""
        return self.first < self.reserved

    def wait_s(self, now_s: int) -> int:
        """Seconds until the next number is due; 0 when it is. ``now_s`` in Unix seconds."""
        return max(0, self.first - (now_s - NUMBERS_EPOCH_S))

    def take(self, now_s: int) -> tuple[int, "NumberBlock"]:
        """The next number, and the block without it.

        Raises:
            StateError: the block is used up, or the number not due yet.
        """
        if not self or self.wait_s(now_s):
            raise StateError(f"no sender sequence number is due in {self}")
        return self.first, tuple.__new__(NumberBlock, (self.first + 1, self.reserved))


def reserve(reserved: int, now_s: int, count: int, *, high_water_s: int = 0) -> NumberBlock:
    """The next ``count`` sender sequence numbers (RFC 8613 Appendix B.1.1).

    ``reserved`` is what the last block ended with (0: none), as stored; ``now_s`` is the
    synchronised clock and ``high_water_s`` the latest it was ever seen at, in Unix seconds. The
    block starts at ``max(reserved, seconds since 2026-01-01)``. Store its ``reserved`` before
    taking a number from it; numbers left over when the process ends are lost on purpose.

    Raises:
        OperatorError: the clock is behind what it was, or behind 2026.
        StateError: the numbers of this context are used up, or ``count`` is not positive.
    """
    floor = now_s - NUMBERS_EPOCH_S
    if floor < 0 or now_s < high_water_s:
        raise OperatorError(
            "the clock is behind the time it had before, so nodes are sent no updates",
            "synchronise the clock (timedatectl), then try again",
        )
    first = max(reserved, floor)
    if count < 1 or first + count - 1 > MAX_SEQUENCE_NUMBER:
        raise StateError(f"no {count} sender sequence numbers are left from {first}")
    return tuple.__new__(NumberBlock, (first, first + count))
