"""The contexts that were used lately, and a filter that knows which kid contexts exist at all.

Neither grows with what strangers send: the filter holds one number a provisioned kid context, the
cache a bounded number of contexts, each of which a request has verified under.
"""

from collections.abc import Iterable, Sequence

from jrc.service.ports import ContextReader, KnownContext

DEFAULT_CAPACITY = 16_384


class Contexts:
    """Finds contexts by kid context: filter, then cache, then one indexed read."""

    def __init__(self, reader: ContextReader, capacity: int = DEFAULT_CAPACITY) -> None:
        self._reader = reader
        self._capacity = capacity
        self._existing: set[int] = set()
        self._cached: dict[bytes, Sequence[KnownContext]] = {}

    def __len__(self) -> int:
        return len(self._cached)

    def learn(self, kid_contexts: Iterable[bytes]) -> None:
        """These kid contexts exist. (Python's hash of bytes is keyed: nobody can collide it.)"""
        self._existing.update(map(hash, kid_contexts))

    def find(self, kid_context: bytes) -> Sequence[KnownContext]:
        """The contexts to try, none if the kid context is unknown or not in force.

        Raises:
            StateError: a row does not authenticate.
        """
        cached = self._cached.get(kid_context)
        if cached is not None:
            return cached
        if hash(kid_context) not in self._existing:
            return ()
        return self._reader.find(kid_context)

    def keep(self, found: Sequence[KnownContext]) -> None:
        """Remember contexts under which a request has verified; the oldest make room."""
        kid_context = found[0].kid_context
        if kid_context in self._cached:
            return
        if len(self._cached) >= self._capacity:
            del self._cached[next(iter(self._cached))]
        self._cached[kid_context] = found

    def forget(self, kid_context: bytes) -> None:
        """Read the context anew at its next request."""
        self._cached.pop(kid_context, None)

    def forget_all(self) -> None:
        """Read every context anew: pledges were changed."""
        self._cached.clear()
