"""How often a stored answer is sent again, and to whom (row C11).

An eavesdropper can repeat a request he heard. What he gains is bounded: a few copies of a
ciphertext he could have heard as well, for a short time. What he takes from others is bounded too:
each request has shares for its first addresses, and what goes beyond them is answered from one
budget of the whole registrar. So whoever is faster than the mesh, and takes both shares of each
request, does not keep its pledge out: he would have to use up the budget without pause.
"""

MAX_COPY_AGE_MS = 465_000
"""MAX_TRANSMIT_WAIT at most, with the timing of RFC 9031 §7.2: so long a pledge listens."""
MAX_COPY_ADDRESSES = 2
"""Addresses with a share of their own: a pledge may change its Join Proxy between two copies."""
MAX_COPY_RESENDS = 8
"""The share of each: twice the four retransmissions of RFC 9031 §7.2."""
MAX_REMEMBERED = 65_536
"""Requests whose shares are counted at a time; copies of others are answered from the budget."""
MAX_SPARE_PER_S = 500
"""Copies beyond all shares that are answered in a second, and at once after a pause.

A copy costs a read of its row and a datagram, so that many more would take time from others.
"""


class Copies:
    """Counts resends by request and address, in memory; a restart begins to count anew."""

    __slots__ = ("_seen", "_spare", "_spare_at_ms")

    def __init__(self) -> None:
        self._seen: dict[bytes, tuple[int, dict[bytes, int]]] = {}
        self._spare = float(MAX_SPARE_PER_S)
        self._spare_at_ms = 0

    def __len__(self) -> int:
        """Requests whose shares are counted."""
        return len(self._seen)

    def allow(self, request: bytes, first: bytes, address: bytes, now_ms: int) -> bool:
        """Whether one more copy may be looked up and answered; counts it if so.

        ``request`` is the digest of the request, ``first`` the address its answer first went to,
        empty where that is not known.
        """
        return self._take_share(request, first, address, now_ms) or self._take_spare(now_ms)

    def _take_share(self, request: bytes, first: bytes, address: bytes, now_ms: int) -> bool:
        self._forget(now_ms)
        entry = self._seen.get(request)
        if entry is None:
            if len(self._seen) >= MAX_REMEMBERED:
                return False
            entry = self._seen[request] = (now_ms, {first: 0} if first else {})
        counts = entry[1]
        used = counts.get(address)
        if (len(counts) >= MAX_COPY_ADDRESSES) if used is None else (used >= MAX_COPY_RESENDS):
            return False
        counts[address] = (used or 0) + 1
        return True

    def _take_spare(self, now_ms: int) -> bool:
        # A clock that was set back gives nothing, one that was set forth a second's worth.
        elapsed_ms = max(0, now_ms - self._spare_at_ms)
        self._spare_at_ms = now_ms
        gained = elapsed_ms * MAX_SPARE_PER_S / 1000
        self._spare = min(float(MAX_SPARE_PER_S), self._spare + gained)
        if self._spare < 1:
            return False
        self._spare -= 1
        return True

    def _forget(self, now_ms: int) -> None:
        """Drop what is older than any answer; insertion order is order of time."""
        while self._seen:
            oldest = next(iter(self._seen))
            if 0 <= now_ms - self._seen[oldest][0] <= MAX_COPY_AGE_MS:
                return
            del self._seen[oldest]
