"""What telling joined nodes needs of the store (RFC 9031 §8.2)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from ipaddress import IPv6Address
from typing import NamedTuple, Protocol

from jrc.cojp.oscore_context import SecurityContext
from jrc.model import Pledge
from jrc.policy.leases import Lease
from jrc.service.join_ports import ContextState, Standing

MAX_SLEEP_S = 30 * 86_400


class Reachable(NamedTuple):
    """A pledge that an update may go to, and its context as far as one needs it.

    ``kid_context`` is the context's own name. ``left_out`` are the labels that it has reported as
    unsupported (RFC 9031 §8.4.5), ``replaces_id`` as in ``KnownContext``. ``address`` and
    ``sleep_s`` are the operator's word; that is how long it may sleep at a time, None for a node
    that is awake.
    """

    pledge: Pledge
    context_id: int
    kid_context: bytes
    security: SecurityContext
    state: ContextState
    standing: Standing
    left_out: frozenset[int]
    replaces_id: int | None
    address: IPv6Address | None
    sleep_s: int | None


class NodeStore(Protocol):
    """Contexts of joined pledges, and what is on disk before an update leaves."""

    def reach(self, pledge_ids: Sequence[int]) -> Mapping[int, Reachable]:
        """Those of these pledges that have joined, by number, their rows locked.

        Whatever does not authenticate is left out, as is a context that waits for recovery.
        """
        ...

    def in_force(self, pledge_ids: Sequence[int]) -> Collection[int]:
        """Those of these that have joined and are in force, damaged or not."""
        ...

    def save_told(self, told: Iterable[tuple[int, ContextState, Lease | None]]) -> None:
        """Write contexts' states by their numbers, each with a short identifier that goes along.

        Both have the next version. The state's row is always written: a join that is decided by
        an older one conflicts, and looks again.

        Raises:
            ConflictError: another transaction has changed a row.
        """
        ...

    def report(self, pledge_id: int, reports: Iterable[tuple[int, int, bytes | None]]) -> None:
        """Store the (code, label, addinfo) that a node reported (RFC 9031 §8.4.5)."""
        ...
