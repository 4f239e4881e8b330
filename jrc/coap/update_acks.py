"""Separate answers that were acknowledged: each copy is acknowledged again (RFC 7252 §4.2)."""

from collections.abc import Callable
from ipaddress import IPv6Address
from typing import Final, NamedTuple

from jrc.coap.update_message import Acknowledgement

MAX_REMEMBERED: Final = 1024
"""Beyond, the oldest is forgotten: its node sends a few copies more than it would have."""


class _Acknowledged(NamedTuple):
    """``answer`` is the datagram as it came, so that a copy needs not be verified again."""

    answer: bytes
    peer: tuple[str, int]
    address: IPv6Address
    acknowledgement: Acknowledgement
    until: float


class Acknowledged:
    """What was acknowledged in the last ``lifetime_s``, by token; times never go back."""

    def __init__(
        self, send: Callable[[Acknowledgement, IPv6Address], object], lifetime_s: float
    ) -> None:
        self._send = send
        self._lifetime_s = lifetime_s
        self._by_token: dict[bytes, _Acknowledged] = {}

    def __len__(self) -> int:
        return len(self._by_token)

    def first(
        self,
        token: bytes,
        answer: bytes,
        peer: tuple[str, int],
        address: IPv6Address,
        acknowledgement: Acknowledgement,
        now: float,
    ) -> None:
        """Acknowledge an answer that has verified."""
        known = self._by_token
        if len(known) >= MAX_REMEMBERED:
            del known[next(iter(known))]
        known[token] = _Acknowledged(answer, peer, address, acknowledgement, now + self._lifetime_s)
        self._send(acknowledgement, address)

    def again(self, token: bytes, datagram: bytes, peer: tuple[str, int]) -> bool:
        """Whether it is a copy of such an answer, which is acknowledged once more then."""
        known = self._by_token.get(token)
        if known is None or known.answer != datagram or known.peer != peer:
            return False
        self._send(known.acknowledgement, known.address)
        return True

    def next_due(self) -> float | None:
        """When the oldest may be forgotten; ``None`` while there is none."""
        for known in self._by_token.values():
            return known.until
        return None

    def forget(self, now: float) -> None:
        """Forget what is old enough."""
        known = self._by_token
        while known:
            token = next(iter(known))
            if known[token].until > now:
                break
            del known[token]
