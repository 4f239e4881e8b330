"""Changes of keys: rollovers that wait for a person, and nodes that one has left behind."""

from collections.abc import Iterator

from jrc.cli.diagnosis.case import Case
from jrc.cli.diagnosis.verdict import Verdict, skipped, success, warning


def look_at_rollovers(case: Case) -> Iterator[Verdict]:
    """A warning for each that a person has to look at (docs/rollover.md)."""
    if case.key_notices is None:
        yield skipped("not looked at, as the database could not be")
        return
    if not case.key_notices:
        yield success("none is under way, and all nodes have keys that are in force")
    for notice in case.key_notices:
        sentence, look = str(notice["sentence"]), f"see: {notice['look']}"
        if notice["wants_operator"]:
            yield warning(sentence, f"{notice['what_to_do']}; {look}")
        else:
            yield success(f"{sentence}; {look}")
