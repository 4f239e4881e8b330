"""What a console's bytes are made into, for tests."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jrc.cojp.credential import edn
from jrc.provision.console import Alone, Booted, Console, Found, Problem
from jrc.provision.console_patterns import SHIPPED, Pattern
from jrc.provision.console_stream import Said, Stream

CONSOLES = Path(__file__).parent / "consoles"
SPLIT = r"^\[(?P<source>[\w-]+)\] "


class Pair(NamedTuple):
    """A device and the end of its key: enough to tell the recordings' keys apart."""

    device: str
    key: str


def recorded(name: str) -> bytes:
    """A recording."""
    return (CONSOLES / name).read_bytes()


def stream(
    split: str | None = None, patterns: Sequence[Pattern] = SHIPPED, marks: Sequence[str] = ()
) -> Stream:
    """As a port has it."""
    return Stream(lambda: Console(patterns, marks), re.compile(split) if split else None)


def said(data: bytes, split: str | None = None) -> list[Said]:
    """What a whole console says, in one piece, to its end."""
    console = stream(split)
    return console.feed(data) + console.end()


def pairs(events: Sequence[Said]) -> list[Pair]:
    """What is to be stored, in its order."""
    return [pair(each.event) for each in events if isinstance(each.event, Found)]


def pair(found: Found) -> Pair:
    """A device with the last digits of its x."""
    text = edn(found.credential.value)
    return Pair(str(found.device), text.rpartition("h'")[2].rstrip("'}")[-8:])


def problems(events: Sequence[Said]) -> list[Problem]:
    """What was not clear."""
    return [each.event for each in events if isinstance(each.event, Problem)]


def starts(events: Sequence[Said]) -> int:
    """How often a board has started."""
    return sum(isinstance(each.event, Booted) for each in events)


def alone(events: Sequence[Said]) -> list[str]:
    """Ids without an identity."""
    return [str(each.event.device) for each in events if isinstance(each.event, Alone)]
