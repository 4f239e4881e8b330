"""Short identifiers for a batch of first joins: drawn together, looked up with one read."""

from itertools import islice

from jrc.model import Network, ShortIdRange
from jrc.policy import leases
from jrc.service.join_ports import JoinTransaction

_FEWEST = 16
"""Values drawn at least, so that a range that is half full is not asked for each."""
_DRAWS = 2
"""Before a range that is nearly full is walked through."""


class FreeIdentifiers:
    """Values that nobody holds and that no live key has seen (RFC 9031 §8.4.4.1).

    Valid for one transaction, of ``wanted`` requests at most.
    """

    def __init__(self, tx: JoinTransaction, wanted: int) -> None:
        self._tx = tx
        self._left = wanted
        self._ready: dict[tuple[int, ShortIdRange], list[int]] = {}
        self._given: set[tuple[int, int]] = set()
        self._exhausted: set[tuple[int, ShortIdRange]] = set()

    def draw(self, network: Network, oldest_live: int) -> int | None:
        """A value for a pledge of ``network``; None where its range has none left."""
        ready = self._ready.get((network.domain_id, network.short_ids), [])
        value = self._next(network, ready)
        if value is None and (network.domain_id, network.short_ids) not in self._exhausted:
            ready = self._look(network, oldest_live)
            self._ready[network.domain_id, network.short_ids] = ready
            value = self._next(network, ready)
        if value is None:
            self._exhausted.add((network.domain_id, network.short_ids))
        return value

    def _next(self, network: Network, ready: list[int]) -> int | None:
        """The next of ``ready``; another network of the domain may have had it first."""
        while ready:
            value = ready.pop(0)
            if (network.domain_id, value) not in self._given:
                self._given.add((network.domain_id, value))
                self._left -= 1
                return value
        return None

    def _look(self, network: Network, oldest_live: int) -> list[int]:
        count = max(self._left, _FEWEST)
        for _ in range(_DRAWS):
            free = self._free_of(network, count, oldest_live)
            if free:
                return free
        taken = self._tx.all_taken(network.domain_id, oldest_live)
        start = int.from_bytes(self._tx.random(2))
        walk = leases.walk(network.short_ids, start)
        return list(islice((value for value in walk if value not in taken), self._left))

    def _free_of(self, network: Network, count: int, oldest_live: int) -> list[int]:
        random = self._tx.random(2 * count)
        drawn = list(dict.fromkeys(leases.candidate_values(network.short_ids, random)))
        taken = self._tx.taken(network.domain_id, drawn, oldest_live)
        return [value for value in drawn if value not in taken]
