"""A witness outside the registrar: it remembers all it ever heard, over kills and restarts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Witness:
    """What was said, and what of it can't be true at the same time; pledges by identifier.

    ``spoken`` has updates by the registrar's own numbers, ``holders`` who has a short identifier
    under a link-layer key. ``imported`` and ``revoked`` were acknowledged; with the latter goes
    the serial of the last datagram that was sent before the acknowledgement came.
    """

    answers: dict[tuple[bytes, int], bytes] = field(default_factory=dict)
    spoken: dict[tuple[bytes, int], bytes] = field(default_factory=dict)
    highest: dict[bytes, int] = field(default_factory=dict)
    held: dict[bytes, bytes] = field(default_factory=dict)
    holders: dict[tuple[bytes, bytes], bytes] = field(default_factory=dict)
    imported: set[bytes] = field(default_factory=set)
    revoked: dict[bytes, int] = field(default_factory=dict)
    copies: int = 0
    violations: list[str] = field(default_factory=list)
    _serials: set[int] = field(default_factory=set)

    def highest_answered(self, pledge: bytes) -> int:
        """The highest number of a pledge that was answered, -1 if none was."""
        return self.highest.get(pledge, -1)

    def came(self, serial: int, pledge: bytes) -> None:
        """A datagram came with the token of the one that was sent as number ``serial``."""
        if serial in self._serials:
            self.violated(f"datagram {serial} was answered twice, or with an old token")
        self._serials.add(serial)
        if serial > self.revoked.get(pledge, serial):
            self.violated(f"{pledge.hex()} was answered after its revocation")

    def saw(
        self, pledge: bytes, number: int, ciphertext: bytes, *, highest_before: int = -1
    ) -> None:
        """An answer came to request ``number``.

        ``highest_before`` is the highest number that was answered when the request left.
        """
        name = f"{pledge.hex()} number {number}"
        known = self.answers.setdefault((pledge, number), ciphertext)
        if known != ciphertext:
            self.violated(f"{name} was answered with two ciphertexts under one nonce")
        elif known is not ciphertext:
            self.copies += 1
            if number < highest_before:
                self.violated(f"{name} was answered after number {highest_before}")
        self.highest[pledge] = max(number, self.highest_answered(pledge))

    def joined(self, pledge: bytes, short_id: bytes, keys: Iterable[bytes]) -> None:
        """A Configuration came with a short identifier and link-layer keys."""
        if self.held.setdefault(pledge, short_id) != short_id:
            self.violated(f"{pledge.hex()} got another short identifier")
        self.holds(pledge, short_id, keys)

    def holds(self, pledge: bytes, short_id: bytes, keys: Iterable[bytes]) -> None:
        """A pledge uses a short identifier with these keys (RFC 9031 §8.4.4.1)."""
        for key in keys:
            if self.holders.setdefault((key, short_id), pledge) != pledge:
                self.violated(f"short identifier {short_id.hex()} was given to two pledges")

    def told(self, pledge: bytes, number: int, ciphertext: bytes) -> None:
        """An update came to a node under a sender number of the registrar."""
        if self.spoken.setdefault((pledge, number), ciphertext) != ciphertext:
            self.violated(f"{pledge.hex()} was told two things under sender number {number}")

    def compare(self, stored: Mapping[bytes, Mapping[str, object]]) -> None:
        """Hold the registrar's list of pledges against what it has said; short ids in hex."""
        for pledge in self.imported - stored.keys():
            self.violated(f"{pledge.hex()} was imported, and the database does not have it")
        for pledge, short_id in self.held.items():
            has = stored.get(pledge, {}).get("short_id")
            if pledge not in self.revoked and has not in (short_id.hex(), "gone"):
                self.violated(
                    f"{pledge.hex()} was answered with {short_id.hex()}, and the database has {has}"
                )
        for pledge in self.revoked:
            state = stored.get(pledge, {}).get("state")
            if state != "revoked":
                self.violated(f"{pledge.hex()} was revoked, and the database has it as {state}")

    def violated(self, what: str) -> None:
        """Something that must never be."""
        self.violations.append(what)
