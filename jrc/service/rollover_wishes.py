"""Rollovers that begin by themselves: those that were wanted meanwhile, and periodic ones."""

from collections.abc import Sequence
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
    """New keys for a key domain once no rollover runs there; one wish is as good as many.

    A person's takes the place of one that the registrar had by itself, so that it says who and why.
    """
    before = tx.rollovers.wanted(domain_id)
    if before is not None and before.actor == BY_ITSELF != actor:
        tx.rollovers.forget_wanted(domain_id)
    tx.rollovers.want(
        WantedRollover(
            domain_id=domain_id, cause=cause, actor=actor, reason=reason, asked_at_ms=tx.now_ms
        )
    )


def start_wanted(tx: Registry, domain_id: int, settings: RolloverSettings) -> Begun | None:
    """Begin what is wanted in a key domain, None where nothing is or a rollover runs.

    What can't begin stays wanted, and comes back with its error.

    Raises:
        StateError: a row of that key domain does not authenticate.
    """
    wanted = tx.rollovers.wanted(domain_id)
    if wanted is None or tx.rollovers.running(domain_id) is not None:
        return None
    new = NewRollover(
        cause=wanted.cause, actor=wanted.actor, reason=wanted.reason, settings=settings
    )
    begun = _begin(tx, domain_id, new)
    if begun.error is None:
        tx.rollovers.forget_wanted(domain_id)
    return begun


def periodic(
    tx: Registry, domain_id: int, every_s: int, settings: RolloverSettings
) -> Begun | None:
    """Begin a rollover if the keys are older than this and none was tried since, else None.

    A clock that was set back makes no keys older.
    """
    if not _is_due(tx, domain_id, every_s):
        return None
    new = NewRollover(cause=RolloverCause.PERIODIC, actor=BY_ITSELF, settings=settings)
    return _begin(tx, domain_id, new)


def next_periodic_ms(tx: Registry, domain_id: int, every_s: int) -> int | None:
    """When ``periodic`` has to do next, in ms since 1970; in the past for at once.

    None where a rollover is running, or there are no keys or no networks.
    """
    current = current_generation(tx.keysets.generations(domain_id))
    last = tx.rollovers.latest(domain_id)
    if current is None or (last and last[0].ended_at_ms is None) or domain_id not in _used(tx):
        return None
    # A rollover that was called off is the operator's word for a period.
    since_ms = max([current.activated_at_ms or 0, *(each.ended_at_ms or 0 for each in last)])
    return since_ms + 1000 * every_s


def domains_that_may_begin(tx: Registry) -> Sequence[int]:
    """Those with networks, or for which a rollover is wanted."""
    return sorted(_used(tx) | {wanted.domain_id for wanted in tx.rollovers.all_wanted()})


def is_to_begin(tx: Registry, domain_id: int, every_s: int) -> bool:
    """Whether ``start_wanted`` or ``periodic`` has something to do now; no periodic ones for 0 s.

    Raises:
        StateError: a row of that key domain does not authenticate.
    """
    if tx.rollovers.wanted(domain_id) is not None and tx.rollovers.running(domain_id) is None:
        return True
    return bool(every_s) and _is_due(tx, domain_id, every_s)


def _is_due(tx: Registry, domain_id: int, every_s: int) -> bool:
    due_ms = next_periodic_ms(tx, domain_id, every_s)
    return due_ms is not None and due_ms <= tx.now_ms


def _used(tx: Registry) -> set[int]:
    """The key domains that have networks."""
    return {network.domain_id for network in tx.networks.all().values()}


def _begin(tx: Registry, domain_id: int, wanted: NewRollover) -> Begun:
    names = tuple(network.name for network in networks_of(tx, domain_id))
    try:
        return Begun(domain_id, names, start_in_domain(tx, domain_id, wanted), None)
    except OperatorError as error:
        return Begun(domain_id, names, None, error)
