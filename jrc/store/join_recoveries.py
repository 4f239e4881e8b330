"""RFC 8613 App. B.2 as a join's transaction reads and writes it.

Nothing here is touched by joins under contexts that were never lost.
"""

from collections.abc import Sequence
from operator import attrgetter

from jrc.cojp.oscore_context import SecurityContext
from jrc.service.join_ports import KnownContext, RecoveryRun
from jrc.store.contexts import find_locked
from jrc.store.recovery_runs import (
    WaitingRun,
    begin_run,
    derive_from,
    drop_others,
    give_up,
    kid_context_of,
    open_runs_of,
    owner_of,
    read_run,
    replace_context,
)
from jrc.store.scope import Scope


def _with_room(runs: Sequence[WaitingRun], most: int, lower: int) -> set[WaitingRun]:
    """Those with the highest numbers, and of the others the newest."""
    by_number = sorted(runs, reverse=True)
    others = sorted(by_number[most:], key=attrgetter("begun_at_ms", "number"))
    return {*by_number[:most], *others[-lower:]}


class JoinRecoveries:
    """As ``join_ports.RecoveryRows``; what it writes is part of the transaction at once."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def security(self, known: KnownContext, id_context: bytes) -> SecurityContext | None:
        """As ``RecoveryRows.security``."""
        owner = owner_of(self._scope.connection, known.context_id)
        return None if owner is None else derive_from(self._scope, owner.credential_id, id_context)

    def begin(
        self, known: KnownContext, run: RecoveryRun, *, most: int, lower: int, since_ms: int
    ) -> bool:
        """As ``RecoveryRows.begin``."""
        runs = open_runs_of(self._scope, known.context_id)
        good = [each for each in runs if each.begun_at_ms >= since_ms]
        if any(each.request_digest == run.request_digest for each in good):
            return False
        begun = WaitingRun(run.number, run.begun_at_ms, run.r2, run.request_digest)
        kept = _with_room([*good, begun], most, lower)
        give_up(self._scope.connection, [each.r2 for each in runs if each not in kept])
        begin_run(self._scope, run)
        return True

    def lost_of(self, run: RecoveryRun) -> KnownContext | None:
        """As ``RecoveryRows.lost_of``."""
        scope = self._scope
        current = read_run(scope.connection, scope.mac, run.r2, locked=True)
        kid_context = None
        if current is not None and current.context_id == run.context_id:
            kid_context = kid_context_of(scope.connection, current.context_id)
        if kid_context is None:
            return None
        found = find_locked(scope.connection, scope.keyring, scope.mac, [kid_context])
        lost = (known for known in found if known.context_id == run.context_id)
        return next((known for known in lost if known.state.needs_recovery), None)

    def replace(self, lost: KnownContext, security: SecurityContext) -> int:
        """As ``RecoveryRows.replace``."""
        return replace_context(self._scope, lost, security)

    def confirm(self, known: KnownContext) -> None:
        """As ``RecoveryRows.confirm``."""
        drop_others(self._scope.connection, known.context_id)
