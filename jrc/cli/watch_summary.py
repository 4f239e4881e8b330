"""What has come of a run of `jrc provision watch`: in words, as an object and as an exit code."""

from collections.abc import Mapping, Sequence
from typing import Final

from jrc.cli.output import Record
from jrc.cli.reporting import say
from jrc.cli.watch_keys import Keys
from jrc.cli.watch_outbox import Sighting
from jrc.cli.watch_rows import Trouble
from jrc.cli.watch_session import Session, Until, devices
from jrc.errors import ExitCode

_MAX_NAMED: Final = 10
_URGENCY: Final = (ExitCode.DONE, ExitCode.UNFINISHED, ExitCode.PARTLY)
"""Of two things the command says the worse one."""


def summed_up(session: Session, left: Sequence[Sighting], away: str, until: Until) -> ExitCode:
    """Says what has come of it, and gives the exit code."""
    of_identities = _identities_summed_up(session, left, away, until)
    if session.keys is None:
        return of_identities
    return max(of_identities, _keys_summed_up(session.keys), key=_URGENCY.index)


def _keys_summed_up(keys: Keys) -> ExitCode:
    left = keys.left()
    say(f"{devices(len(keys.stored()))} with a key")
    _say_each("no key", left)
    if any(not trouble.remedy for trouble in left.values()):
        say("let those boards start again, and run this command once more")
    return ExitCode.PARTLY if left else ExitCode.DONE


def _identities_summed_up(
    session: Session, left: Sequence[Sighting], away: str, until: Until
) -> ExitCode:
    tally = session.rows.tally
    outcomes = list(tally.outcomes.values())
    kinds = [f"{outcomes.count(each)} {each}" for each in ("new", "superseded", "same")]
    if outcomes or session.keys is None:
        say(f"{devices(tally.stored)} stored: {', '.join(kinds)}")
    _say_each("has no identity yet", {name: Trouble(where) for name, where in tally.alone.items()})
    refused = {name: Trouble(done.error, done.hint) for name, done in tally.refused.items()}
    _say_each("refused", refused)
    _say_each("not clear", tally.unclear)
    reason = Trouble(away or "the registrar has not answered in time")
    not_stored = {f"{each.device} of {each.where}": reason for each in left}
    _say_each("not stored", not_stored)
    troubles = [*refused.values(), *tally.unclear.values(), *not_stored.values()]
    if any(not trouble.remedy for trouble in troubles):
        say("let those boards start again, and `jrc provision watch` see it")
    if troubles:
        return ExitCode.PARTLY
    if until.devices is not None and session.stored_devices < until.devices:
        say(f"{until.devices - session.stored_devices} fewer than --count")
        return ExitCode.UNFINISHED
    return ExitCode.DONE


def _say_each(what: str, named: Mapping[str, Trouble]) -> None:
    for name, trouble in list(named.items())[:_MAX_NAMED]:
        remedy = f" ({trouble.remedy})" if trouble.remedy else ""
        say(f"{what}: {name}: {trouble.why}{remedy}")
    if len(named) > _MAX_NAMED:
        say(f"{what}: {len(named) - _MAX_NAMED} more")


def summary(session: Session, left: Sequence[Sighting]) -> Record:
    """The last object of ``--json``."""
    tally, keys = session.rows.tally, session.keys
    of_keys = {} if keys is None else {"keys": keys.stored(), "without_key": _whys(keys.left())}
    return {
        **of_keys,
        "event": "summary",
        "stored": dict(tally.outcomes),
        "not_stored": [str(each.device) for each in left],
        "refused": sorted(tally.refused),
        "alone": sorted(tally.alone),
        "unclear": _whys(tally.unclear),
    }


def _whys(named: Mapping[str, Trouble]) -> dict[str, str]:
    return {name: trouble.why for name, trouble in named.items()}
