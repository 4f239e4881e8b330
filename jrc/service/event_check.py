"""Proving that nothing of the audit log was changed: in the database, and in an export."""

from collections.abc import Iterable
from dataclasses import dataclass

from jrc.service import event_chain
from jrc.service.event_chain import Break, Place, next_place
from jrc.service.event_lines import WrongLineError, event_of
from jrc.service.registry import Registry
from jrc.service.wording import counted

_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainReport:
    """How far the chain of hashes holds; ``broken_at`` is the first event that does not fit.

    ``number`` and ``hash`` (hex) are the place that was reached. Where ``done`` is False, nothing
    was wrong up to it, and it is where to go on. ``count`` events fit so far, ``first`` being the
    number of the first one there is, None for none.
    """

    intact: bool
    count: int
    first: int | None
    broken_at: int | None
    number: int
    hash: str
    last: int | None
    done: bool
    sentence: str


def verify_stretch(
    tx: Registry, place: Place | None = None, most: int | None = None, *, known: int = 0
) -> ChainReport:
    """Whether every event is there as it was written, in order, in bounded memory.

    It goes on from a place that was reached before, for ``most`` events. Those that were removed
    since, for their age, are taken as they were. ``known`` is the newest event that this process
    has seen: a log that ends before it was cut off, and its end with it.

    Raises:
        StateError: the row with both ends of the chain does not authenticate.
    """
    floor, end = tx.events.ends()
    at = floor if place is None or place.number < floor.number else place
    found = _below(tx, floor)
    while found is None:
        left = _PAGE if most is None else min(_PAGE, most)
        entries = tx.events.chain(after=at.number, limit=left)
        for entry in entries:
            following = next_place(at, entry)
            if isinstance(following, Break):
                found = following
                break
            at = following
        else:
            if len(entries) < left:
                found = event_chain.at_end(at, end) or event_chain.cut_off(end, known)
                return _report(floor, end, at, found, done=True)
            if most is not None and (most := most - left) <= 0:
                return _report(floor, end, at, None, done=False)
    return _report(floor, end, at, found, done=True)


def _below(tx: Registry, floor: Place) -> Break | None:
    """The first event that is there though it was removed."""
    if floor.number == 0:
        return None
    for entry in tx.events.chain(after=-1, limit=1):
        if entry.number <= floor.number:
            return event_chain.again(entry.number)
    return None


def _report(floor: Place, end: Place, at: Place, found: Break | None, *, done: bool) -> ChainReport:
    count = at.number - floor.number
    return ChainReport(
        intact=found is None,
        count=count,
        first=floor.number + 1 if count else None,
        broken_at=None if found is None else found.number,
        number=at.number,
        hash=at.hash.hex(),
        last=end.number,
        done=done,
        sentence=_whole(count, floor.number) if found is None else _untrusted(found),
    )


def _whole(count: int, removed: int) -> str:
    sentence = f"{counted(count, 'event')}, each as it was written"
    if not removed:
        return f"{sentence}."
    return (
        f"{sentence}, from event {removed + 1} on; those before were removed for their age"
        " (`jrc events --kind events.removed`)."
    )


def _untrusted(found: Break) -> str:
    if found.number == 1:
        return f"{found.sentence} The log can't be trusted."
    return f"{found.sentence} The log can't be trusted from there on."


# An export


def verify_lines(lines: Iterable[str]) -> ChainReport:
    """Whether the lines of an export are as they were written, and none in between is missing.

    What was cut off at the end shows when number and hash of the last one are compared with
    what the registrar, or an earlier export, says.

    Raises:
        OperatorError: a line is no event, or the export was filtered.
    """
    first: int | None = None
    at, count, found = event_chain.START, 0, None
    for row, line in enumerate(lines, 1):
        try:
            entry = event_of(line)
        except WrongLineError as error:
            raise error.at(row) from None
        if first is None and entry.previous is not None and entry.number > 1:
            at = Place(entry.number - 1, entry.previous)
        first = first or entry.number
        following = next_place(at, entry)
        if isinstance(following, Break) or entry.previous not in (None, at.hash):
            found = following if isinstance(following, Break) else _other_before(entry.number)
            break
        at, count = following, count + 1
    return ChainReport(
        intact=found is None,
        count=count,
        first=first,
        broken_at=None if found is None else found.number,
        number=at.number,
        hash=at.hash.hex(),
        last=None,
        done=True,
        sentence=_exported(count, first, at) if found is None else _distrusted(found),
    )


def _other_before(number: int) -> Break:
    return Break(number, f"Event {number} names another hash as that of the one before it.")


def _exported(count: int, first: int | None, at: Place) -> str:
    if first is None:
        return "no event."
    return (
        f"{counted(count, 'event')}, {first} to {at.number}, each as it was written; the hash of"
        f" the last one is {at.hash.hex()}."
    )


def _distrusted(found: Break) -> str:
    return (
        f"{found.sentence} The export can't be trusted from there on; one that was made with"
        " filters has gaps, and can't be verified."
    )
