"""A limit in bytes a second: of join traffic, and of what the registrar sends to nodes.

A token bucket whose time is given (RFC 9031 §6.1, §7.2). It passes what comes while it is not in
debt, and charges the datagram afterwards, so a datagram longer than the bucket is deep leaves all
the same: the debt then takes the longer to be paid.
"""

from typing import Final

from jrc.cojp.constants import ACK_TIMEOUT_S

WINDOW_MS: Final = int(ACK_TIMEOUT_S * 1000)
"""RFC 9031 §7.2: the average is taken over a rather short window, such as ACK_TIMEOUT."""
PACKET_PERIOD_MS: Final = 3000
"""RFC 9031 §6.1, RFC 8085 §3.1.3: one packet in three seconds where nobody has set a rate."""


class ByteRate:
    """A limit in bytes of CoAP a second, ``None`` for one packet in three seconds.

    The bucket holds what the rate gives in ``window_ms`` and begins full; a rate in packets saves
    nothing up. 0 passes nothing (RFC 9031 §8.4.2). Times are milliseconds that never go back.
    """

    __slots__ = ("_cost", "_credit", "_depth", "_gain", "_seen_ms", "_window_ms", "bytes_per_s")

    def __init__(self, bytes_per_s: int | None, now_ms: int, *, window_ms: int = WINDOW_MS) -> None:
        if not 0 < window_ms <= WINDOW_MS:
            raise ValueError("the rate is measured over ACK_TIMEOUT at most")
        self._window_ms = window_ms
        self._seen_ms = now_ms
        self._set(bytes_per_s)
        self._credit = self._depth

    def set(self, bytes_per_s: int | None, now_ms: int) -> None:
        """Use another limit from now on; nothing is saved up in the new bucket yet.

        Raises:
            ValueError: it is negative.
        """
        if bytes_per_s != self.bytes_per_s:
            self._set(bytes_per_s)
            self._seen_ms = now_ms
            self._credit = 0

    def _set(self, bytes_per_s: int | None) -> None:
        """Credit counts thousandths of a byte, or milliseconds where packets are counted."""
        if bytes_per_s is not None and bytes_per_s < 0:
            raise ValueError("a rate is not negative")
        self.bytes_per_s = bytes_per_s
        self._gain = 1 if bytes_per_s is None else bytes_per_s
        self._cost = 0 if bytes_per_s is None else 1000
        self._depth = 0 if bytes_per_s is None else bytes_per_s * self._window_ms

    def allows(self, now_ms: int) -> bool:
        """Whether a datagram may leave now; if it does, ``charge`` has to hear of it."""
        credit = self._credit + (now_ms - self._seen_ms) * self._gain
        self._credit = credit if credit < self._depth else self._depth
        self._seen_ms = now_ms
        return self._credit >= 0 and self._gain > 0

    def wait_ms(self) -> int | None:
        """How long after the last ``allows`` it would be true; ``None`` for never."""
        if not self._gain:
            return None
        return max(0, -(self._credit // self._gain))

    def charge(self, size: int) -> None:
        """A datagram of ``size`` bytes left."""
        self._credit -= size * self._cost or PACKET_PERIOD_MS
