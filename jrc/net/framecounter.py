"""The frame counter of a radio outlives its interface: no key is sent with under one number twice.

Linux counts the frames that an interface sends, from 0 each time that the interface is made: after
a start of the host, or when the radio is plugged in again. EUI-64, frame counter and security level
are the nonce (IEEE 802.15.4, CCM*), so the same keys would protect two frames under one nonce.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from jrc.errors import OperatorError

MAX_FRAMES_PER_S: Final = 1000
"""More than a radio can send: at 250 kbit/s the shortest protected frame takes about 1 ms."""
LARGEST_START: Final = 0xF000_0000
"""A frame counter has 32 bits, and an interface that begins above this would soon have no more."""


class Seen(NamedTuple):
    """The next frame counter as it was at a time in Unix seconds, sending with a generation."""

    frame_counter: int
    at_s: int
    generation: int


class UsedUpError(Exception):
    """The keys in force can't be sent with any more; says why, as the rest of a sentence."""


def least_start(seen: Seen, generation: int, now_s: int) -> int:
    """The least frame counter with which a new interface may begin.

    Nobody has seen what the radio has sent since ``seen``, so as much is left out as it can have
    sent. Keys of a later generation were never sent with, so any number is good for them; a higher
    one is better, since nodes drop what is lower than what they have heard.

    Raises:
        UsedUpError: there is none.
    """
    is_new = generation > seen.generation
    elapsed_s = now_s - seen.at_s
    start = seen.frame_counter + (elapsed_s + 1) * MAX_FRAMES_PER_S
    if elapsed_s >= 0 and start <= LARGEST_START:
        return start
    if is_new:
        return 0
    raise UsedUpError(
        "the clock is behind the last look at its frame counter"
        if elapsed_s < 0
        else "so many frames may have left since the last look that its frame counter is at its end"
    )


@dataclass(frozen=True, slots=True)
class CounterFile:
    """Remembers ``Seen`` in a file, which must never be put back from a backup."""

    path: Path

    def read(self) -> Seen | None:
        """What was seen last, None before the first time.

        Raises:
            OperatorError: the file is not as it was written, or can't be read.
        """
        try:
            told = json.loads(self.path.read_bytes())
            seen = Seen(*(told[name] for name in Seen._fields))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OperatorError(f"{self.path} can't be read ({error.strerror})") from None
        except (ValueError, KeyError, TypeError):
            raise self._damaged() from None
        if not all(type(value) is int and value >= 0 for value in seen):
            raise self._damaged()
        return seen

    def _damaged(self) -> OperatorError:
        return OperatorError(
            f"{self.path} is damaged, so the frame counters that were used are not known",
            "change the keys with `jrc rollover start`, then delete the file",
        )

    def write(self, seen: Seen) -> None:
        """Remember it; atomic, and on disk on return.

        Raises:
            OperatorError: the file can't be written.
        """
        temporary = self.path.with_name(self.path.name + ".new")
        try:
            file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(file, "wb") as opened:
                opened.write(json.dumps(seen._asdict()).encode() + b"\n")
                opened.flush()
                os.fsync(file)
            os.replace(temporary, self.path)
            _sync_folder(self.path.parent)
        except OSError as error:
            raise OperatorError(f"{self.path} can't be written ({error.strerror})") from None


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
