"""RFC 8613 App. B.2 runs as the loop looks them up: for a request #2, and for copies of #1."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from sqlalchemy import Connection, bindparam, select

from jrc.cojp.recovery import claims, second_id_context
from jrc.cojp.replay import ReplayWindow
from jrc.model import Condition, PledgeState
from jrc.service.join_ports import ContextState, KnownContext, RecoveryRun, StoredRun
from jrc.service.open_runs import OpenRun
from jrc.store.faults import readable
from jrc.store.keyring import Keyring
from jrc.store.prepared import Prepared
from jrc.store.recovery_runs import derive, kid_context_of, owner_of, read_run, runs_since
from jrc.store.rowmac import RowMac
from jrc.store.schema import instance

_CONDITION = Prepared(
    select(instance.c.condition).where(instance.c.id == bindparam("b_id")), ["b_id"]
)


class RunLookup:
    """As ``join_ports.RunReader``; ``find`` gives the contexts under a kid context."""

    def __init__(
        self,
        connection: Connection,
        keyring: Keyring,
        mac: RowMac,
        find: Callable[[bytes], Sequence[KnownContext]],
    ) -> None:
        self._connection = connection
        self._keyring = keyring
        self._mac = mac
        self._find = find

    def claimed(self, kid_context: bytes) -> KnownContext | None:
        """As ``RunReader.claimed``."""
        for claim in claims(kid_context):
            run = self._read(claim.r2)
            lost = None if run is None else self._lost(run)
            if lost is not None:
                known = self._derived(lost, claim.r2, claim.id3)
                return known and replace(known, kid_context=kid_context, run=run)
        return None

    def _read(self, r2: bytes) -> RecoveryRun | None:
        with readable():
            return read_run(self._connection, self._mac, r2)

    def _lost(self, run: RecoveryRun) -> KnownContext | None:
        """The context that a run began with, if it is in force."""
        with readable():
            kid_context = kid_context_of(self._connection, run.context_id)
        found = () if kid_context is None else self._find(kid_context)
        return next((known for known in found if known.context_id == run.context_id), None)

    def _derived(self, lost: KnownContext, r2: bytes, id3: bytes) -> KnownContext | None:
        """What a request #2 of a run verifies under: nothing was received under it yet.

        ``None`` for the ID Context of response #1: its keys have protected that, under a nonce
        which an answer under them might have again (RFC 8613 §5.2).
        """
        if id3 == second_id_context(r2, lost.security.id_context or b""):
            return None
        with readable():
            owner = owner_of(self._connection, lost.context_id)
            security = owner and derive(self._connection, self._keyring, owner.credential_id, id3)
        if not security:
            return None
        return replace(lost, security=security, state=ContextState(1, ReplayWindow()))

    def stored(self, r2: bytes) -> StoredRun | None:
        """As ``RunReader.stored``."""
        run = self._read(r2)
        if run is None:
            return None
        with readable():
            ((condition,),) = _CONDITION.rows(self._connection, (1,))
        lost = self._lost(run)
        is_admitted = lost is not None and lost.pledge.state is PledgeState.PROVISIONED
        return StoredRun(run, condition == Condition.OPEN.value and is_admitted)

    def since(self, since_ms: int) -> Iterator[OpenRun]:
        """The runs begun at that time (ms since 1970) or later, for those the loop knows."""
        with readable():
            yield from runs_since(self._connection, since_ms)
