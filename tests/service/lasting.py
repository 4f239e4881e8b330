"""A small model of what must never come twice: request numbers, sender numbers, identifiers.

It knows nothing of how the registrar works; it sees what leaves, and the rows of windows.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field

from jrc.cojp.objects import Configuration

WINDOW = 32
"""RFC 8613 §3.2.2."""


@dataclass
class Witness:
    """What each pledge was accepted, answered and told; ``live`` are values of keys in use."""

    accepted: defaultdict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    answers: dict[tuple[int, int], bytes] = field(default_factory=dict)
    senders: defaultdict[int, list[tuple[int, int]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    holds: dict[int, int] = field(default_factory=dict)
    has_keys: defaultdict[int, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    given: defaultdict[int, set[tuple[int, bytes]]] = field(
        default_factory=lambda: defaultdict(set)
    )

    def window(self, pledge: int) -> tuple[int, int]:
        """Highest number and bits of the window that these numbers make (RFC 8613 §7.4)."""
        numbers = self.accepted[pledge]
        highest = max(numbers, default=-1)
        bits = sum(1 << highest - each for each in numbers if highest - each < WINDOW)
        return highest, bits

    def accept(self, pledge: int, number: int) -> None:
        """N4: a number is accepted once, and none that is older than the window."""
        highest, _ = self.window(pledge)
        assert number not in self.accepted[pledge], f"{number} of {pledge} was accepted twice"
        assert number > highest - WINDOW, f"{number} of {pledge} is older than the window"
        self.accepted[pledge].add(number)

    def answered(self, pledge: int, number: int, protected: bytes) -> None:
        """N3: one nonce protects one answer, ever."""
        assert number in self.accepted[pledge], f"{number} of {pledge} was answered first"
        before = self.answers.setdefault((pledge, number), protected)
        assert before == protected, f"{number} of {pledge} was answered with other bytes"

    def sends(self, pledge: int, first: int, end: int) -> None:
        """N1: a sender number is used once."""
        for earlier_first, earlier_end in self.senders[pledge]:
            assert end <= earlier_first or earlier_end <= first, f"numbers of {pledge} come again"
        self.senders[pledge].append((first, end))

    def told(self, pledge: int, told: Configuration, live: Collection[bytes]) -> None:
        """K1, K3: an identifier that went out with a key is nobody else's while the key lives."""
        if told.short_identifier is not None:
            self.holds[pledge] = int.from_bytes(told.short_identifier.identifier)
        self.has_keys[pledge] |= {key.key_value.reveal() for key in told.keys}
        value = self.holds.get(pledge)
        if value is None:
            return
        self.given[pledge] |= {(value, key) for key in self.has_keys[pledge] if key in live}
        for other, pairs in self.given.items():
            clash = other != pledge and any(
                theirs == value and key in live for theirs, key in pairs
            )
            assert not clash, f"{value:04x} of {other} went to {pledge} while its keys live"
