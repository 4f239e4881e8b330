"""The contexts that were used lately, and a filter that knows which kid contexts exist at all.

Neither grows with what strangers send: the filter holds one number a provisioned kid context, the
cache a bounded number of contexts, each of which a request has verified under.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice

from jrc.errors import StoreError
from jrc.service.join_ports import ContextReader, KnownContext
from jrc.service.open_runs import OpenRuns

DEFAULT_CAPACITY = 10_240
MAX_UNVERIFIED = 1024
"""Contexts in memory that were read for requests of which none has verified: who repeats forgeries
in the names of some pledges costs no read each time, and can't push out whoever has verified."""
_BUCKETS = 1024
"""A power of two. Each is sorted; with a million kid contexts one more moves 4 kB on average."""
_LAST_BUCKET = _BUCKETS - 1


class Filter:
    """A set of kid contexts in 8 bytes each; says yes to a stranger once in 2**64 / size.

    Python's hash of bytes is keyed anew in each process: nobody can collide it on purpose.
    """

    def __init__(self) -> None:
        self._buckets = [array("q") for _ in range(_BUCKETS)]

    def __contains__(self, kid_context: bytes) -> bool:
        value = hash(kid_context)
        bucket = self._buckets[value & _LAST_BUCKET]
        at = bisect_left(bucket, value)
        return at < len(bucket) and bucket[at] == value

    def add(self, kid_contexts: Iterable[bytes]) -> None:
        """These exist, too."""
        for value in map(hash, kid_contexts):
            bucket = self._buckets[value & _LAST_BUCKET]
            at = bisect_left(bucket, value)
            if at == len(bucket) or bucket[at] != value:
                bucket.insert(at, value)


class Contexts:
    """Finds contexts by kid context: filter, then cache, then one indexed read."""

    def __init__(self, reader: ContextReader, capacity: int = DEFAULT_CAPACITY) -> None:
        self._reader = reader
        self._capacity = capacity
        self.runs = OpenRuns()
        """App. B.2 runs, of which request #2 comes under a kid context that is not known yet."""
        self._existing = Filter()
        self._cached: dict[bytes, Sequence[KnownContext]] = {}
        self._unverified: dict[bytes, Sequence[KnownContext]] = {}
        self._expected: Mapping[bytes, Sequence[KnownContext]] = {}

    def __len__(self) -> int:
        return len(self._cached)

    @property
    def unverified(self) -> int:
        """Contexts in memory under which no request has verified."""
        return len(self._unverified)

    def learn(self, kid_contexts: Iterable[bytes]) -> None:
        """These kid contexts exist."""
        self._existing.add(kid_contexts)

    def expect(self, kid_contexts: Iterable[bytes]) -> None:
        """These are asked for next, and then ``expect`` again: one read for all not in memory."""
        wanted = {
            kid_context: None
            for kid_context in kid_contexts
            if kid_context not in self._cached
            and kid_context not in self._unverified
            and kid_context in self._existing
        }
        self._expected = {}
        if wanted:
            with suppress(StoreError):  # which ``find`` meets again, and says for each
                self._expected = self._reader.find_many(list(wanted))
                self._note_read(self._expected)

    def _note_read(self, found: Mapping[bytes, Sequence[KnownContext]]) -> None:
        room = MAX_UNVERIFIED - len(self._unverified)
        if room > 0:
            self._unverified.update(islice(found.items(), room))

    def find(self, kid_context: bytes) -> Sequence[KnownContext]:
        """The contexts to try, none if the kid context is unknown or not in force.

        Raises:
            StateError: a row does not authenticate.
        """
        found = (
            self._cached.get(kid_context)
            or self._expected.get(kid_context)
            or self._unverified.get(kid_context)
        )
        if found is not None:
            return found
        if kid_context not in self._existing:
            return self._find_run(kid_context) if self.runs else ()
        read = self._reader.find(kid_context)
        if read:
            self._note_read({kid_context: read})
        return read

    def _find_run(self, kid_context: bytes) -> Sequence[KnownContext]:
        """What a request #2 verifies under, if the kid context begins with the R2 of a run."""
        if not self.runs.might_name(kid_context):
            return ()
        known = self._reader.runs.claimed(kid_context)
        return () if known is None else (known,)

    def keep(self, found: Sequence[KnownContext]) -> None:
        """Remember contexts under which a request has verified; the oldest make room."""
        kid_context = found[0].kid_context
        if kid_context in self._cached or found[0].run is not None:
            return
        if len(self._cached) >= self._capacity:
            del self._cached[next(iter(self._cached))]
        self._unverified.pop(kid_context, None)
        self._cached[kid_context] = tuple(found)

    def forget(self, kid_context: bytes) -> None:
        """Read the context anew at its next request."""
        self._cached.pop(kid_context, None)
        self._unverified.pop(kid_context, None)

    def forget_all(self) -> None:
        """Read every context anew: pledges were changed."""
        self._cached.clear()
        self._unverified.clear()
