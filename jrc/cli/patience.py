"""Asking the daemon again and again, also across its restarts."""

import math
import time
from collections.abc import Callable

from jrc.cli.client import Api, Query
from jrc.cli.reporting import say
from jrc.errors import ExitCode, OperatorError

RETRY_S = 1.0
"""Between two looks whether a daemon that has gone is back."""


class TimeIsUp(Exception):  # noqa: N818  # not an error: the command says how far it has come
    """The time that the operator gave is over."""


class Patient:
    """The daemon's API for a command that outlives it: says once that it has gone, and waits.

    ``for_s`` is how long in all; time and pauses come from outside for tests.
    """

    def __init__(
        self,
        api: Api,
        for_s: float = math.inf,
        *,
        sleep: Callable[[float], None] = time.sleep,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._sleep = sleep
        self._now_s = now_s
        self._ends_s = now_s() + for_s

    def get(self, path: str, query: Query | None = None) -> dict[str, object]:
        """The JSON object at ``path``, as soon as there is a daemon to give it.

        Raises:
            OperatorError: the daemon refuses.
            TimeIsUp: it has not come back in time.
        """
        gone = False
        while True:
            try:
                answer = self._api.get(path, query)
            except OperatorError as error:
                if error.exit_code is not ExitCode.UNREACHABLE:
                    raise
                if not gone:
                    say("the daemon has gone; this goes on when it is back")
                gone = True
            else:
                if gone:
                    say("the daemon is back")
                return answer
            self.rest(RETRY_S)

    def rest(self, pause_s: float) -> None:
        """Wait.

        Raises:
            TimeIsUp: it would not end in time.
        """
        left_s = self._ends_s - self._now_s()
        if left_s <= 0:
            raise TimeIsUp
        self._sleep(min(pause_s, left_s))
