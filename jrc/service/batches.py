"""Which requests share a transaction: all that came while the one before was under way."""

from collections.abc import Callable

from jrc.service.join import Ask

MAX_BATCH = 64


class Batches:
    """Collects requests on the loop and hands them over, one batch at a time."""

    def __init__(self, hand_over: Callable[[list[Ask]], None]) -> None:
        self._hand_over = hand_over
        self._waiting: list[Ask] = []
        self._under_way = False

    def __bool__(self) -> bool:
        """Whether anything is waiting or under way."""
        return self._under_way or bool(self._waiting)

    def add(self, ask: Ask) -> None:
        """Put a request into the next batch."""
        self._waiting.append(ask)

    def turn(self) -> None:
        """Hand the next batch over, unless one is under way."""
        if self._waiting and not self._under_way:
            batch = self._waiting[:MAX_BATCH]
            del self._waiting[:MAX_BATCH]
            self._under_way = True
            self._hand_over(batch)

    def done(self) -> None:
        """The batch that was under way has ended, well or not."""
        self._under_way = False
