"""The usual rows of an import: pledges that nobody knows yet, on terms that many rows share.

What these rows ask for is looked at once for all that ask the same. Every other row takes the way
of ``examine``, which knows all cases and says what is wrong.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter

from jrc.errors import OperatorError
from jrc.model import Profile
from jrc.policy.profiles import check_role
from jrc.service.applicants import UnfitError, network_ids_of
from jrc.service.import_prepared import PreparedRow
from jrc.service.key_domains import check_profile
from jrc.service.records import NewPledge
from jrc.service.registry import Registry

_MAX_TERMS = 1000
_Terms = tuple[tuple[str, ...], int | None, str | None, bool]
"""What rows have in common: networks, role, profile, whether the keys were used before."""
_terms_of: Callable[[PreparedRow], _Terms] = attrgetter(
    "networks", "role", "profile", "used_before"
)


class Usual:
    """Finds the usual rows of one import."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._revision = -1
        self._judged: dict[_Terms, tuple[int, ...] | None] = {}

    def split(
        self,
        tx: Registry,
        rows: Sequence[PreparedRow],
        most_others: int | None = None,
        *,
        is_plain: bool = True,
    ) -> tuple[list[NewPledge], list[PreparedRow]]:
        """New pledges on terms that are good, and the rows that need a closer look.

        It ends before the row that would be one more than ``most_others`` of the latter. Where the
        import is not a ``is_plain`` one, none is usual. Whether their keys are somebody's already
        is not looked at here.
        """
        if not is_plain:
            return [], list(rows[:most_others])
        if self._revision != tx.policy_revision:  # networks may be others by now
            self._revision = tx.policy_revision
            self._judged.clear()
        known = set(tx.pledges.known([row.identifier for row in rows]))
        judged = {terms: self._network_ids(tx, terms) for terms in {*map(_terms_of, rows)}}
        new: list[NewPledge] = []
        others: list[PreparedRow] = []
        for row in rows:
            network_ids = judged[_terms_of(row)]
            identifier = row.identifier
            if network_ids is None or identifier in known:
                if len(others) == most_others:
                    break
                others.append(row)
            else:
                new.append(_new_pledge(row, network_ids, self._source))
            known.add(identifier)
        return new, others

    def _network_ids(self, tx: Registry, terms: _Terms) -> tuple[int, ...] | None:
        try:
            return self._judged[terms]
        except KeyError:
            if len(self._judged) >= _MAX_TERMS:
                self._judged.clear()
            judged = self._judged[terms] = _judge(tx, *terms)
            return judged


def _judge(
    tx: Registry, named: Sequence[str], role: int | None, profile: str | None, used_before: bool
) -> tuple[int, ...] | None:
    """The networks that new pledges may join, None where the terms need a closer look."""
    networks = {network.name: network for network in tx.networks.all().values()}
    names = named or tuple(networks)
    if used_before or (not named and len(names) != 1):
        return None
    try:
        network_ids = network_ids_of(names, networks)
        if profile is not None:
            check_role(Profile(profile), role or 0)
            for name in names:
                check_profile(tx, networks[name], Profile(profile))
    except (UnfitError, OperatorError):
        return None
    return network_ids


def _new_pledge(row: PreparedRow, network_ids: tuple[int, ...], source: str) -> NewPledge:
    return NewPledge(
        row.identifier,
        row.role or 0,
        row.label or "",
        None if row.profile is None else Profile(row.profile),
        network_ids,
        row,
        row.provenance,
        f"{source}:{row.line}",
    )
