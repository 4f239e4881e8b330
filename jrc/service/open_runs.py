"""The App. B.2 runs that wait for request #2, as the loop knows them: by R2, and by request #1.

It is what keeps strangers cheap: only a kid context that begins with one of these R2 is looked at
further (RFC 8613 App. B.2 step 4). The rows are what counts; whatever is missing here is silence,
and the pledge begins again.
"""

from collections.abc import Iterable
from typing import NamedTuple

from jrc.cojp.recovery import R2_BYTES
from jrc.service.copies import MAX_COPY_AGE_MS

RUN_LIFETIME_MS = 2 * MAX_COPY_AGE_MS
"""Response #1 may come as late as a copy is answered, and request #2 as late again."""
_WRAPPED_AT = slice(2, 2 + R2_BYTES)
"""Where R2 is in a CBOR bstr of 24 to 255 bytes, as every wrapped ID3 is."""
MAX_KNOWN = 65_536
"""Runs that are known at a time; the oldest make room."""
LOWER_PAUSE_MS = 1000
"""Between two runs of a lost context that begin with a number not above all seen. Each is a commit,
and who has listened for long has many such requests to repeat."""


class OpenRun(NamedTuple):
    """A run without what only its row needs; ``begun_at_ms`` is in ms since 1970."""

    r2: bytes
    request_digest: bytes
    begun_at_ms: int


class OpenRuns:
    """A bounded set of runs; as many as there are rows, but for what is too old."""

    __slots__ = ("_by_digest", "_by_r2", "_lower_ms")

    def __init__(self) -> None:
        self._by_r2: dict[bytes, OpenRun] = {}
        self._by_digest: dict[bytes, bytes] = {}
        self._lower_ms: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._by_r2)

    def add(self, runs: Iterable[OpenRun]) -> None:
        """These wait for request #2; what is much older than the last of them goes."""
        now_ms = None
        for run in runs:
            self._by_r2[run.r2] = run
            self._by_digest[run.request_digest] = run.r2
            now_ms = run.begun_at_ms
        if now_ms is not None:
            self._forget(now_ms)

    def drop(self, r2: bytes) -> None:
        """A run has ended."""
        run = self._by_r2.pop(r2, None)
        if run is not None and self._by_digest.get(run.request_digest) == r2:
            del self._by_digest[run.request_digest]

    def r2_for(self, request_digest: bytes) -> bytes | None:
        """R2 of the run that a request #1 has begun."""
        return self._by_digest.get(request_digest)

    def might_name(self, kid_context: bytes) -> bool:
        """Whether a kid context is one that a request #2 of these can have: as is, or wrapped."""
        known = self._by_r2
        return kid_context[:R2_BYTES] in known or kid_context[_WRAPPED_AT] in known

    def takes_lower(self, context_id: int, now_ms: int) -> bool:
        """Whether a lost context may begin a run with a number that is not above all seen."""
        last_ms = self._lower_ms.get(context_id)
        return last_ms is None or not 0 <= now_ms - last_ms < LOWER_PAUSE_MS

    def note_lower(self, context_id: int, now_ms: int) -> None:
        """Such a request has verified."""
        self._lower_ms.pop(context_id, None)
        if len(self._lower_ms) >= MAX_KNOWN:
            del self._lower_ms[next(iter(self._lower_ms))]
        self._lower_ms[context_id] = now_ms

    def _forget(self, now_ms: int) -> None:
        """Insertion order is order of time, unless the clock was set; then more is forgotten."""
        while self._by_r2:
            oldest = next(iter(self._by_r2.values()))
            is_good = 0 <= now_ms - oldest.begun_at_ms <= RUN_LIFETIME_MS
            if is_good and len(self._by_r2) <= MAX_KNOWN:
                return
            self.drop(oldest.r2)
