"""What else is known of pledges, for listings: place, short identifiers, replay window.

The MACs are looked at as on the join path, so that a listing tells who is not answered and why.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv6Address
from typing import Any, NamedTuple

from sqlalchemy import select

from jrc.service.records import Damage, Standing, Waiting
from jrc.store.admissions import Admissions, Entries
from jrc.store.leases import Holding, Leases
from jrc.store.schema import context, context_state, node, pledge
from jrc.store.scope import Scope, chunked


class _Window(NamedTuple):
    """The newest of the pledge's windows under the key in force."""

    joined_at_ms: int | None = None
    highest: int = -1
    is_damaged: bool = False
    next_number: int | None = None


class _Place(NamedTuple):
    network_id: int | None
    address: str | None


_NOWHERE = _Place(None, None)
_NO_WINDOW = _Window()
_NOTHING = Holding((), is_damaged=False)
_NO_ENTRIES = Entries((), is_damaged=False)


def standing(scope: Scope, pledge_ids: Sequence[int]) -> dict[int, Standing]:
    """As ``PledgeStore.standing``, of pledges by row number."""
    held = Leases(scope).of(pledge_ids)
    let_in = Admissions(scope).entries(pledge_ids)
    places: dict[int, _Place] = {}
    windows: dict[int, _Window] = {}
    for some in chunked(pledge_ids):
        places.update(_places(scope, some))
        windows.update(_windows(scope, some))
    return {
        number: _standing(
            places.get(number, _NOWHERE),
            held.get(number, _NOTHING),
            windows.get(number, _NO_WINDOW),
            let_in.get(number, _NO_ENTRIES),
        )
        for number in pledge_ids
    }


def _standing(place: _Place, held: Holding, window: _Window, let_in: Entries) -> Standing:
    found = (
        (window.is_damaged, Damage.WINDOW),
        (held.is_damaged, Damage.SHORT_IDENTIFIER),
        (let_in.is_damaged, Damage.ADMISSION),
    )
    damaged = tuple(damage for is_damaged, damage in found if is_damaged)
    waiting = tuple(
        Waiting(entry.network_id, entry.asked_at_ms)
        for entry in let_in.good
        if entry.admitted_at_ms is None
    )
    return Standing(
        place.network_id,
        held.leases,
        window.joined_at_ms,
        window.highest,
        damaged,
        waiting,
        given_address(place.address),
        window.next_number,
    )


def given_address(text: str | None) -> IPv6Address | None:
    """The address in a node's row, None where the operator gave none."""
    try:
        return IPv6Address(text) if isinstance(text, str) else None
    except ValueError:
        # No MAC covers it; what its identifier gives is as good as any guess.
        return None


def _places(scope: Scope, pledge_ids: Sequence[int]) -> Iterable[tuple[int, _Place]]:
    columns = (node.c.pledge_id, node.c.network_id, node.c.address)
    query = select(*columns).where(node.c.pledge_id.in_(pledge_ids))
    return [(number, _Place(*place)) for number, *place in scope.connection.execute(query)]


def _windows(scope: Scope, pledge_ids: Sequence[int]) -> Mapping[int, _Window]:
    """The windows of the keys in force; a context without one has lost it."""
    query = (
        select(
            context.c.pledge_id,
            (context.c.id_context == pledge.c.identifier).label("is_first"),
            context_state,
        )
        .join_from(
            context,
            pledge,
            (pledge.c.id == context.c.pledge_id)
            & (pledge.c.credential_id == context.c.credential_id),
        )
        .outerjoin(context_state, context_state.c.context_id == context.c.id)
        .where(pledge.c.id.in_(pledge_ids))
    )
    rows: defaultdict[int, list[Mapping[Any, Any]]] = defaultdict(list)
    for row in scope.connection.execute(query).mappings():
        rows[row["pledge_id"]].append(row)
    return {pledge_id: _newest(scope, some) for pledge_id, some in rows.items()}


def _newest(scope: Scope, rows: Sequence[Mapping[Any, Any]]) -> _Window:
    good = [row for row in rows if scope.mac.is_intact(context_state, row)]
    joins = [row["joined_at_ms"] for row in good if row["joined_at_ms"] is not None]
    return _Window(
        max(joins, default=None),
        max((row["highest"] for row in good), default=-1),
        len(good) < len(rows),
        _next_number(good, len(rows)),
    )


def _next_number(good: Sequence[Mapping[Any, Any]], contexts: int) -> int | None:
    """What the only context begins with next, if it is the one that a device is flashed with."""
    if contexts != 1 or not good or not good[0]["is_first"] or good[0]["needs_recovery"]:
        return None
    number: int = good[0]["numbers_reserved"]
    return number
