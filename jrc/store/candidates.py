"""A key that waited comes into force, in the transaction of the join that it was used for (row A5).

Nothing here is touched by joins of pledges that have one key.
"""

from dataclasses import replace

from sqlalchemy import Connection, select

from jrc.errors import ConflictError
from jrc.service.join_ports import KnownContext
from jrc.service.records import CredentialState
from jrc.store.credentials import Credentials
from jrc.store.pledges import Pledges
from jrc.store.rollover_nodes import RolloverNodes
from jrc.store.schema import context, rollover_node
from jrc.store.scope import Scope


def contexts_beside(connection: Connection, known: KnownContext) -> frozenset[int]:
    """The contexts of the same pledge that are of other keys than this one's, by number."""
    query = (
        select(context.c.id)
        .where(context.c.pledge_id == known.pledge.id)
        .where(context.c.credential_id != known.candidate_id)
    )
    return frozenset(connection.scalars(query))


def put_candidate_in_force(scope: Scope, known: KnownContext) -> None:
    """Wipe the key before, and let the pledge's row name this one; seals what it writes.

    What the firmware before could not do is forgotten. Updates that are under way were protected
    with the key before: they end, and what they said is told anew.

    Raises:
        ConflictError: the pledge has no such candidate.
    """
    pledges = Pledges(scope)
    record = pledges.by_id(known.pledge.id)
    if known.candidate_id is None or record.candidate_id != known.candidate_id:
        raise ConflictError("the key does not wait any more")
    credentials = Credentials(scope)
    credentials.retire(record.id, CredentialState.SUPERSEDED, keep=known.candidate_id)
    credentials.set_state(known.candidate_id, CredentialState.CURRENT)
    pledges.save(replace(record, credential_id=known.candidate_id, candidate_id=None))
    pledges.forget_reports(record.id)
    _tell_anew(scope, record.id)


def _tell_anew(scope: Scope, pledge_id: int) -> None:
    """Change the rows of rollovers that tell the pledge something: what is under way is stale."""
    rows = RolloverNodes(scope)
    query = (
        select(rollover_node.c.rollover_id)
        .where(rollover_node.c.pledge_id == pledge_id)
        .where(rollover_node.c.next_at_ms.is_not(None))
    )
    for rollover_id in scope.connection.scalars(query).all():
        node = rows.find(rollover_id, [pledge_id])[pledge_id]
        rows.save_nodes([node._replace(next_at_ms=scope.now_ms)])
