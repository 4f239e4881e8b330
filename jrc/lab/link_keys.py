"""The link-layer keys of a simulated node, and when it uses which (RFC 9031 §8.4.3.1-2)."""

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import TypeAlias

from jrc.cojp.constants import COJP_REKEYING_GUARD_TIME_S
from jrc.lab.configuration import LabKey

KeySet: TypeAlias = tuple[LabKey, ...]


class Frames(Enum):
    """What a key is for, by its usage: first and last of RFC 9031 Table 6."""

    BEACONS = ((0, 8),)
    DATA = ((0, 5), (9, 14))

    def covered_by(self, key: LabKey) -> bool:
        """Whether frames of this kind are secured with the key."""
        return any(first <= key.usage <= last for first, last in self.value)


class LinkKeys:
    """The key sets one node holds: one it sends with, and those it waits to hear.

    ``clashes`` are key ids that came with a second value while the first was still installed: a
    frame could then be meant for either, and the node can't tell.
    """

    def __init__(
        self, *, is_border_router: bool, guard_time_s: float = COJP_REKEYING_GUARD_TIME_S
    ) -> None:
        self.sending: KeySet = ()
        self.waiting: list[KeySet] = []
        self.clashes: list[int] = []
        self._is_border_router = is_border_router
        self._guard_time_s = guard_time_s
        self._held: dict[int, LabKey] = {}
        self._leaving: dict[int, float] = {}

    @property
    def newest(self) -> KeySet:
        """The set that was told last; empty before any."""
        return self.waiting[-1] if self.waiting else self.sending

    def begin(self, keys: Iterable[LabKey]) -> None:
        """What a Join Response gave: nothing from before is kept.

        Where it has two keys for one kind of frames, the network is between them: the node sends
        with the former, as the others do, until it hears the latter (RFC 9031 §8.4.3.2).
        """
        self._held.clear()
        self._leaving.clear()
        sets = _split(keys)
        for key_set in sets:
            self._hold(key_set)
        self.sending = sets[-1 if self._is_border_router else 0] if sets else ()
        self.waiting = [] if self._is_border_router else sets[1:]

    def install(self, keys: Iterable[LabKey], now_s: float) -> None:
        """What a Parameter Update gave.

        A 6LBR uses it at once (RFC 9031 §8.4.3.1), a 6LN once it hears it (§8.4.3.2). A set that
        it has already is what it shall end with: those after it are given up.
        """
        self.expire(now_s)
        for key_set in _split(keys):
            self._hold(key_set)
            if key_set == self.sending:
                self.waiting.clear()
            elif self._is_border_router:
                self.sending = key_set
            elif key_set in self.waiting:
                del self.waiting[self.waiting.index(key_set) + 1 :]
            else:
                self.waiting.append(key_set)
        self._let_go(now_s)

    def hears(self, key: LabKey, now_s: float) -> bool:
        """Whether a frame under ``key`` can be read; one under a new key makes a 6LN switch."""
        self.expire(now_s)
        if self._held.get(key.key_id) != key:
            return False
        for place, key_set in enumerate(self.waiting):
            if key in key_set:
                self.sending = key_set
                del self.waiting[: place + 1]
                self._let_go(now_s)
                break
        return True

    def key_for(self, frames: Frames) -> LabKey | None:
        """With which key such a frame leaves; None where it leaves without one."""
        return next((key for key in self.sending if frames.covered_by(key)), None)

    def holds(self, key_set: Sequence[LabKey]) -> bool:
        """Whether all of these keys are installed."""
        return all(self._held.get(key.key_id) == key for key in key_set)

    def held_ids(self) -> frozenset[int]:
        """The key ids of what is installed."""
        return frozenset(self._held)

    @property
    def is_settled(self) -> bool:
        """Whether it has the set that it sends with and nothing else."""
        return not self.waiting and not self._leaving

    def expire(self, now_s: float) -> None:
        """Remove what the guard time is over for."""
        for key_id in [each for each, until_s in self._leaving.items() if until_s <= now_s]:
            del self._leaving[key_id], self._held[key_id]

    def _hold(self, key_set: KeySet) -> None:
        for key in key_set:
            if self._held.setdefault(key.key_id, key) != key:
                self.clashes.append(key.key_id)
                self._held[key.key_id] = key
            self._leaving.pop(key.key_id, None)

    def _let_go(self, now_s: float) -> None:
        """Whatever is in no set any more leaves after the guard time, counted from the first time.

        While a 6LN waits for a new set, only what it was told to give up leaves.
        """
        wanted = {key.key_id for key_set in (self.sending, *self.waiting) for key in key_set}
        for key_id in self._held.keys() - wanted:
            self._leaving.setdefault(key_id, now_s + self._guard_time_s)


def _split(keys: Iterable[LabKey]) -> list[KeySet]:
    """Sets of keys in the order they came, each with one key for a kind of frames."""
    sets: list[KeySet] = []
    for key in keys:
        if sets and not any(_overlap(key, other) for other in sets[-1]):
            sets[-1] = (*sets[-1], key)
        else:
            sets.append((key,))
    return sets


def _overlap(one: LabKey, other: LabKey) -> bool:
    return any(frames.covered_by(one) and frames.covered_by(other) for frames in Frames)
