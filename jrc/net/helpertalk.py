"""What the registrar and its helper for a radio say to each other, over a Unix socket.

Messages are JSON objects behind their length. The registrar asks once a connection; before the
answer the helper may ask it to note how far the radio's frame counter is, since the helper keeps
nothing. Keys are in the question alone.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from jrc.net.framecounter import Seen

MAX_MESSAGE_BYTES: Final = 8 * 1024 * 1024
"""65,535 nodes, as many as there are short identifiers, take some 4 MB of it."""
NOTED_WITHIN_S: Final = 10.0
"""How long the helper waits until a frame counter is on the registrar's disk."""
LONGEST_RUN_S: Final = 240.0
"""The most that ``installer.timeout_s`` of the config file may be."""
LENGTH: Final = struct.Struct(">I")
_MAX_HOW_CHARACTERS: Final = 1000

Message: TypeAlias = Mapping[str, object]


class TalkError(Exception):
    """The other end said something else; the text says what, and repeats nothing of it."""


class Wish(StrEnum):
    """What the registrar may ask for."""

    INSTALL = "install"
    KEEPS = "keeps"
    CHECK = "check"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """``document`` is for `install`; ``seen`` is what the registrar remembers of the counter."""

    wish: Wish
    interface: str
    timeout_s: float
    seen: Seen | None = None
    document: str = ""

    def __repr__(self) -> str:
        return f"Question({self.wish.value})"

    def message(self) -> Message:
        """As it is sent."""
        return {
            "ask": self.wish.value,
            "interface": self.interface,
            "timeout_s": self.timeout_s,
            "seen": self.seen,
            "document": self.document,
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """``good``: the keys are in, are still in, or can be set; else ``how`` it failed."""

    good: bool
    how: str = ""
    hint: str = ""

    def message(self) -> Message:
        """As it is sent."""
        how, hint = self.how[:_MAX_HOW_CHARACTERS], self.hint[:_MAX_HOW_CHARACTERS]
        return {"good": self.good, "how": how, "hint": hint}


def packed(message: Message) -> bytes:
    """A message behind its length.

    Raises:
        TalkError: it is too long.
    """
    text = json.dumps(message).encode()
    if len(text) > MAX_MESSAGE_BYTES:
        raise TalkError(f"the question is longer than {MAX_MESSAGE_BYTES} bytes")
    return LENGTH.pack(len(text)) + text


def length_of(head: bytes) -> int:
    """How long the message behind this head is.

    Raises:
        TalkError: longer than any.
    """
    length: int = LENGTH.unpack(head)[0]
    if length > MAX_MESSAGE_BYTES:
        raise TalkError(f"a message is longer than {MAX_MESSAGE_BYTES} bytes")
    return length


def unpacked(text: bytes) -> Message:
    """The object of a message.

    Raises:
        TalkError: it is none.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise TalkError("a message is no JSON object")
    return found


def question_of(message: Message) -> Question:
    """The question in a message.

    Raises:
        TalkError: there is none.
    """
    wishes = {each.value: each for each in Wish}
    wish = wishes.get(_text(message, "ask"))
    timeout_s = message.get("timeout_s")
    if wish is None or not isinstance(timeout_s, int | float) or not 0 < timeout_s <= LONGEST_RUN_S:
        raise TalkError("what is asked is unknown here, or how long it may take is not told")
    return Question(
        wish=wish,
        interface=_text(message, "interface"),
        timeout_s=timeout_s,
        seen=None if message.get("seen") is None else seen_of(message.get("seen")),
        document=_text(message, "document"),
    )


def seen_of(value: object) -> Seen:
    """A frame counter as it was sent.

    Raises:
        TalkError: it is none.
    """
    numbers = value if isinstance(value, list) else []
    if len(numbers) == len(Seen._fields) and all(type(n) is int and n >= 0 for n in numbers):
        return Seen(*numbers)
    raise TalkError("a frame counter is not told as three numbers")


def answer_of(message: Message) -> Answer:
    """The answer in a message.

    Raises:
        TalkError: there is none.
    """
    good = message.get("good")
    if not isinstance(good, bool):
        raise TalkError("the answer does not say whether it worked")
    how, hint = _text(message, "how"), _text(message, "hint")
    return Answer(good, how[:_MAX_HOW_CHARACTERS], hint[:_MAX_HOW_CHARACTERS])


def _text(message: Message, name: str) -> str:
    value = message.get(name)
    if not isinstance(value, str):
        raise TalkError(f"a message has no {name}")
    return value
