"""How often a stored answer was sent again, and to whom (row C11).

An eavesdropper can repeat a request he heard. What he gains is bounded: a few copies of a
ciphertext he could have heard as well, to two addresses, for a short time.
"""

MAX_COPY_AGE_MS = 465_000
"""MAX_TRANSMIT_WAIT at most, with the timing of RFC 9031 §7.2: so long a pledge listens."""
MAX_COPY_ADDRESSES = 2
"""A pledge may change its Join Proxy between two copies."""
MAX_COPY_RESENDS = 8
"""Twice the four retransmissions of RFC 9031 §7.2."""
MAX_REMEMBERED = 65_536
"""Requests whose copies are counted at a time; beyond it copies get silence."""


class Copies:
    """Counts resends by request and address, in memory; a restart begins to count anew."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: dict[bytes, tuple[int, dict[bytes, int]]] = {}

    def would_allow(self, request: bytes, address: bytes) -> bool:
        """Whether ``allow`` might still say yes: a first look that reads and counts nothing."""
        entry = self._seen.get(request)
        if entry is None:
            return len(self._seen) < MAX_REMEMBERED
        counts = entry[1]
        if address not in counts:
            return len(counts) < MAX_COPY_ADDRESSES
        return counts[address] < MAX_COPY_RESENDS

    def allow(self, request: bytes, first: bytes, address: bytes, now_ms: int) -> bool:
        """Whether one more copy may be answered; counts it if so.

        ``request`` is the digest of the request, ``first`` the address its answer first went to.
        """
        self._forget(now_ms)
        entry = self._seen.get(request)
        if entry is None:
            if len(self._seen) >= MAX_REMEMBERED:
                return False
            entry = self._seen[request] = (now_ms, {first: 0})
        counts = entry[1]
        if not self.would_allow(request, address):
            return False
        counts[address] = counts.get(address, 0) + 1
        return True

    def _forget(self, now_ms: int) -> None:
        """Drop what is older than any answer; insertion order is order of time."""
        while self._seen:
            oldest = next(iter(self._seen))
            if 0 <= now_ms - self._seen[oldest][0] <= MAX_COPY_AGE_MS:
                return
            del self._seen[oldest]
