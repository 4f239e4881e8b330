"""A witness outside the registrar: it remembers every answer ever seen, over kills and restarts."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Witness:
    """What was answered, and what of it can't be true at the same time."""

    answers: dict[tuple[bytes, int], bytes] = field(default_factory=dict)
    highest: dict[bytes, int] = field(default_factory=dict)
    held: dict[bytes, bytes] = field(default_factory=dict)
    holders: dict[bytes, bytes] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def highest_answered(self, pledge: bytes) -> int:
        """The highest number of a pledge that was answered, -1 if none was."""
        return self.highest.get(pledge, -1)

    def saw(
        self, pledge: bytes, number: int, ciphertext: bytes, short_id: bytes, *, highest_before: int
    ) -> None:
        """An answer came to request ``number``.

        ``highest_before`` is the highest number that was answered when the request left.
        """
        name = f"{pledge.hex()} number {number}"
        if self.answers.setdefault((pledge, number), ciphertext) != ciphertext:
            self._violated(f"{name} was answered with two ciphertexts under one nonce")
        if number < highest_before:
            self._violated(f"{name} was answered after number {highest_before}")
        if self.holders.setdefault(short_id, pledge) != pledge:
            self._violated(f"short identifier {short_id.hex()} was given to two pledges")
        if self.held.setdefault(pledge, short_id) != short_id:
            self._violated(f"{name} got another short identifier")
        self.highest[pledge] = max(number, self.highest_answered(pledge))

    def compare(self, stored: Mapping[bytes, str | None]) -> None:
        """Hold what the registrar has on disk against what it has said; short ids in hex."""
        for pledge, short_id in self.held.items():
            if stored.get(pledge) != short_id.hex():
                self._violated(
                    f"{pledge.hex()} was answered with {short_id.hex()}, and the database has"
                    f" {stored.get(pledge)}"
                )

    def _violated(self, what: str) -> None:
        self.violations.append(what)
