"""The chain of hashes over the audit log: what a hash covers, and going along it.

docs/audit-log.md describes it for those who verify an export with a program of their own.
"""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

import cbor2

from jrc.model import PledgeId
from jrc.service.records import ChainedEvent
from jrc.service.wording import counted

GENESIS_HASH: Final = bytes(32)
"""What the first event of all follows."""


class Place(NamedTuple):
    """A place in the chain: an event's number, and the hash up to and with it."""

    number: int
    hash: bytes


class Break(NamedTuple):
    """The first event that does not fit, and what that means."""

    number: int
    sentence: str


START: Final = Place(0, GENESIS_HASH)


def event_hash(head: bytes, fields: Sequence[object]) -> bytes:
    """SHA-256 over the hash before and the CBOR array of the row's fields."""
    return sha256(head + cbor2.dumps(fields)).digest()


def detail_text(detail: Mapping[str, object] | str | None) -> str:
    """An event's detail as it is stored: JSON in ASCII, keys in order, no blanks."""
    if isinstance(detail, str):
        return detail
    if not detail:
        return "{}"
    return _ENCODER.encode(detail)


def _json_value(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, PledgeId):
        return str(value)
    raise TypeError(f"{type(value).__name__} does not belong into an event")


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_json_value)


def next_place(place: Place, event: ChainedEvent) -> Place | Break:
    """Where ``event`` leads from ``place``, or why it does not follow."""
    expected = place.number + 1
    if event.number > expected:
        return Break(expected, _missing(expected, event.number - 1))
    if event.number < expected:
        return Break(event.number, f"Event {event.number} is there twice, or out of order.")
    head = event_hash(place.hash, event.fields)
    if head != event.hash:
        return Break(
            event.number,
            f"Event {event.number} does not fit its hash: it was changed, or one before it was"
            " changed together with its hash.",
        )
    return Place(event.number, head)


def at_end(reached: Place, end: Place) -> Break | None:
    """Why a chain that was gone along up to ``reached`` is not the one that ends at ``end``."""
    if reached.number < end.number:
        return Break(reached.number + 1, _missing(reached.number + 1, end.number))
    if reached.number > end.number:
        return Break(
            end.number + 1,
            f"Event {end.number + 1} is beyond the last one that was recorded: it was put in past"
            " jrc.",
        )
    if reached.hash != end.hash:
        return Break(
            reached.number,
            "Each event fits the one before it, but the last is not the one that was recorded: the"
            " log was written anew, from which event on can't be told.",
        )
    return None


def cut_off(end: Place, known: int) -> Break | None:
    """Why a chain with this end is too short for one that had reached an event ``known``."""
    if end.number >= known:
        return None
    return Break(end.number + 1, _missing(end.number + 1, known))


def again(number: int) -> Break:
    """That an event is there which had been removed."""
    return Break(number, f"Event {number} had been removed, and was put in again past jrc.")


def _missing(first: int, last: int) -> str:
    count = last - first + 1
    if count == 1:
        return f"Event {first} is missing."
    return f"Events {first} to {last} are missing, {counted(count, 'event')}."
