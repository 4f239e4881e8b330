"""Events of the audit log as lines of JSON that can be verified without the database."""

import json
from collections.abc import Callable, Mapping
from typing import TypeVar

from jrc.errors import ExitCode, OperatorError
from jrc.service.event_chain import detail_text
from jrc.service.records import ChainedEvent
from jrc.service.wording import utc_text

T = TypeVar("T")
_HASH_BYTES = 32
_FIELDS = frozenset({*ChainedEvent._fields, "at"})


class WrongLineError(ValueError):
    """A line of an export is no event; the text says why."""

    def at(self, row: int) -> OperatorError:
        """The error for people, with the number of the line."""
        return OperatorError(
            f"line {row} is no event of an export: {self}",
            "`jrc events export` writes them",
            exit_code=ExitCode.FAILED,
        )


def line_of(event: ChainedEvent) -> dict[str, object]:
    """An event as an export has it.

    ``previous`` is the hash of the event before, None where that is missing.
    """
    return {
        "number": event.number,
        "at": utc_text(event.at_ms),
        "at_ms": event.at_ms,
        "kind": event.kind,
        "pledge": None if event.pledge is None else event.pledge.hex(),
        "network": event.network,
        "actor": event.actor,
        "reason": event.reason,
        "detail": json.loads(event.detail),
        "previous": None if event.previous is None else event.previous.hex(),
        "hash": event.hash.hex(),
    }


def event_of(line: str) -> ChainedEvent:
    """The event on a line of an export.

    Raises:
        WrongLineError: it is none.
    """
    given = _object_of(line)
    previous = _maybe(given, "previous", _hash)
    event = ChainedEvent(
        number=_need(given, "number", _whole),
        at_ms=_need(given, "at_ms", _whole),
        kind=_need(given, "kind", _text),
        pledge=_maybe(given, "pledge", _bytes),
        network=_maybe(given, "network", _text),
        actor=_need(given, "actor", _text),
        reason=_need(given, "reason", _text),
        detail=detail_text(_need(given, "detail", _object)),
        hash=_need(given, "hash", _hash),
        previous=previous,
    )
    if _need(given, "at", _text) != _moment(event.at_ms):
        raise WrongLineError("at and at_ms are not the same time")
    return event


def _object_of(line: str) -> dict[str, object]:
    """The line's fields, and nothing that its hash would not tell of."""
    try:
        given = json.loads(line, object_pairs_hook=_fields)
    except WrongLineError:
        raise
    except (ValueError, RecursionError):
        raise WrongLineError("it is not JSON") from None
    if not isinstance(given, dict):
        raise WrongLineError("it is no JSON object")
    if strange := sorted(given.keys() - _FIELDS):
        raise WrongLineError(f"there is no field {strange[0][:64]!r}")
    return given


def _fields(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object whose names are there once: readers differ in which of two they take."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise WrongLineError("a name is there twice")
    return found


def _moment(at_ms: int) -> str | None:
    try:
        return utc_text(at_ms)
    except (ValueError, OverflowError, OSError):  # the last for years that the system lacks
        return None


def _maybe(given: Mapping[str, object], name: str, parse: Callable[[object], T]) -> T | None:
    return None if given.get(name) is None else _need(given, name, parse)


def _need(given: Mapping[str, object], name: str, parse: Callable[[object], T]) -> T:
    if name not in given:
        raise WrongLineError(f"{name} is missing")
    try:
        return parse(given[name])
    except (TypeError, ValueError):
        raise WrongLineError(f"{name} is not what it should be") from None


def _whole(value: object) -> int:
    if type(value) is not int:
        raise TypeError
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    value.encode()
    return value


def _object(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise TypeError
    return value


def _bytes(value: object) -> bytes:
    return bytes.fromhex(_text(value))


def _hash(value: object) -> bytes:
    found = _bytes(value)
    if len(found) != _HASH_BYTES:
        raise ValueError
    return found
