"""Rollovers that begin by themselves: those that were wanted meanwhile, and periodic ones."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from jrc.errors import OperatorError
from jrc.service.key_domains import current_generation
from jrc.service.registry import Registry
from jrc.service.rollover import NewRollover, start_in_domain
from jrc.service.rollover_course import BY_ITSELF, networks_of
from jrc.service.rollover_records import (
    RolloverCause,
    RolloverRecord,
    RolloverSettings,
    WantedRollover,
)


class Begun(NamedTuple):
    """A rollover that was to begin in a key domain; ``error`` is why it did not."""

    domain_id: int
    networks: tuple[str, ...]
    rollover: RolloverRecord | None
    error: OperatorError | None


def want_rollover(
    tx: Registry, domain_id: int, *, cause: RolloverCause, actor: str, reason: str = ""
) -> None:
    """New keys for a key domain once no rollover runs there; one wish is as good as many."""
    tx.rollovers.want(
        WantedRollover(
            domain_id=domain_id, cause=cause, actor=actor, reason=reason, asked_at_ms=tx.now_ms
        )
    )


def start_wanted(
    tx: Registry, settings: RolloverSettings, *, domain_id: int | None = None
) -> list[Begun]:
    """Begin what is wanted where no rollover runs; in one key domain alone if it is given.

    What can't begin stays wanted, and comes back with its error.
    """
    free = [
        wanted
        for wanted in tx.rollovers.all_wanted()
        if domain_id in (None, wanted.domain_id) and tx.rollovers.running(wanted.domain_id) is None
    ]
    begun = [
        _begin(
            tx,
            each.domain_id,
            NewRollover(cause=each.cause, actor=each.actor, reason=each.reason, settings=settings),
        )
        for each in free
    ]
    for each in begun:
        if each.error is None:
            tx.rollovers.forget_wanted(each.domain_id)
    return begun


def periodic(
    tx: Registry, every_s: int, settings: RolloverSettings, *, domain_id: int | None = None
) -> list[Begun]:
    """Begin a rollover in each key domain whose keys are older than this, and none was tried since.

    In one key domain alone if it is given. A clock that was set back makes no keys older.
    """
    wanted = NewRollover(cause=RolloverCause.PERIODIC, actor=BY_ITSELF, settings=settings)
    overdue = _overdue(tx, every_s, _domains(tx, domain_id))
    return [_begin(tx, number, wanted) for number in overdue]


def next_periodic_ms(tx: Registry, every_s: int, *, domain_id: int | None = None) -> int | None:
    """When ``periodic`` has to do next, in ms since 1970; in the past for at once."""
    due = [at for at in (_since_ms(tx, each) for each in _domains(tx, domain_id)) if at is not None]
    return min(due) + 1000 * every_s if due else None


def domains_that_may_begin(tx: Registry) -> Sequence[int]:
    """Those with networks, or for which a rollover is wanted."""
    return sorted({*_domains(tx), *(wanted.domain_id for wanted in tx.rollovers.all_wanted())})


def is_to_begin(tx: Registry, every_s: int, domain_id: int) -> bool:
    """Whether ``start_wanted`` or ``periodic`` has something to do now; no periodic ones for 0 s.

    Raises:
        StateError: a row of that key domain does not authenticate.
    """
    if tx.rollovers.wanted(domain_id) is not None and tx.rollovers.running(domain_id) is None:
        return True
    due_ms = next_periodic_ms(tx, every_s, domain_id=domain_id) if every_s else None
    return due_ms is not None and due_ms <= tx.now_ms


def _overdue(tx: Registry, every_s: int, domains: Iterable[int]) -> Sequence[int]:
    latest_ms = tx.now_ms - 1000 * every_s
    since = {domain_id: _since_ms(tx, domain_id) for domain_id in domains}
    return [domain_id for domain_id, at in since.items() if at is not None and at <= latest_ms]


def _domains(tx: Registry, only: int | None = None) -> Iterable[int]:
    used = {network.domain_id for network in tx.networks.all().values()}
    return sorted(number for number in used if only in (None, number))


def _since_ms(tx: Registry, domain_id: int) -> int | None:
    """Since when the keys of a domain are in force, or a rollover was tried and called off.

    None where one is running, or there are no keys.
    """
    current = current_generation(tx.keysets.generations(domain_id))
    last = tx.rollovers.latest(domain_id)
    if current is None or (last and last[0].ended_at_ms is None):
        return None
    return max([current.activated_at_ms or 0, *(each.ended_at_ms or 0 for each in last)])


def _begin(tx: Registry, domain_id: int, wanted: NewRollover) -> Begun:
    names = tuple(network.name for network in networks_of(tx, domain_id))
    try:
        return Begun(domain_id, names, start_in_domain(tx, domain_id, wanted), None)
    except OperatorError as error:
        return Begun(domain_id, names, None, error)
