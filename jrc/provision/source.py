"""Where keys come from: a source of random bytes that is watched for having got stuck."""

import os
from collections.abc import Callable

from jrc.errors import OperatorError

RandomBytes = Callable[[int], bytes]
"""Gives as many bytes as it is asked for."""

PART_BYTES = 8
"""What is compared of each draw. Chance repeats a part among a million in 1 of 10**7 runs."""
STUCK_HINT = "nothing was written; make the keys on another machine, and find out what broke here"


class KeySource:
    """Draws keys; every byte of every key comes from ``random``.

    A source that has got stuck is found when a part of what it gives was there before: so one draw
    is made ahead, of which nothing is used.
    """

    def __init__(self, random: RandomBytes = os.urandom) -> None:
        self._random = random
        self._seen: set[bytes] = set()
        self.draw(2 * PART_BYTES)

    def draw(self, count: int) -> bytes:
        """``count`` bytes that no draw has given before.

        Raises:
            OperatorError: the source has got stuck.
        """
        value = self.identifier(count)
        self._watch(value)
        return value

    def identifier(self, count: int) -> bytes:
        """``count`` bytes of which nothing is secret, and which may be few.

        Raises:
            OperatorError: the source gives too few.
        """
        value = self._random(count)
        if len(value) != count:
            raise _stuck(f"gave {len(value)} bytes where {count} were asked for")
        return value

    def _watch(self, value: bytes) -> None:
        for begin in range(0, len(value) - PART_BYTES + 1, PART_BYTES):
            part = value[begin : begin + PART_BYTES]
            if len(set(part)) == 1:
                raise _stuck("gives one byte again and again")
            if part in self._seen:
                raise _stuck("gives the same bytes again")
            self._seen.add(part)


def _stuck(what: str) -> OperatorError:
    return OperatorError(f"the random source {what}, so that no key is made from it", STUCK_HINT)
