"""All aggregates over one transaction, as the operator's use cases see them."""

from functools import cached_property

from jrc.errors import StateError
from jrc.model import Event
from jrc.store import ledger
from jrc.store.admissions import Admissions
from jrc.store.credentials import Credentials
from jrc.store.database import ReadTransaction, Transaction
from jrc.store.events import Events
from jrc.store.imports import Imports
from jrc.store.installations import Installations
from jrc.store.keysets import KeySets
from jrc.store.leases import Leases
from jrc.store.networks import Networks
from jrc.store.nodes import Nodes
from jrc.store.pledges import Pledges
from jrc.store.pushes import Pushes
from jrc.store.rollovers import Rollovers
from jrc.store.scope import Scope
from jrc.store.windows import Windows


class StoreRegistry:
    """As ``service.registry.Registry``: ``database.write(lambda tx: work(StoreRegistry(tx)), ..)``.

    Over a read transaction it serves the use cases that only look.
    """

    def __init__(self, transaction: Transaction | ReadTransaction) -> None:
        self._transaction = transaction
        self._scope = Scope(
            transaction.connection,
            transaction.keyring,
            transaction.mac,
            transaction.now_ms,
            transaction.learned if isinstance(transaction, Transaction) else [],
        )

    @property
    def now_ms(self) -> int:
        """The time of the transaction, milliseconds since 1970."""
        return self._scope.now_ms

    @property
    def seen_ms(self) -> int:
        """The latest time that any transaction before this one had."""
        return self._writing.ledger.instance.clock_high_water_ms

    @cached_property
    def policy_revision(self) -> int:
        """That of networks, keys and rollovers as this transaction finds them."""
        if isinstance(self._transaction, Transaction):
            return self._transaction.ledger.instance.policy_revision
        return ledger.read(self._scope.connection, self._scope.mac).policy_revision

    @cached_property
    def networks(self) -> Networks:
        """Networks that were not removed."""
        return Networks(self._scope)

    @cached_property
    def keysets(self) -> KeySets:
        """Key domains and their generations of keys."""
        return KeySets(self._scope)

    @cached_property
    def pledges(self) -> Pledges:
        """Pledges, their networks and where they have joined."""
        return Pledges(self._scope)

    @cached_property
    def credentials(self) -> Credentials:
        """The keys that pledges have and had."""
        return Credentials(self._scope)

    @cached_property
    def leases(self) -> Leases:
        """Short identifiers."""
        return Leases(self._scope)

    @cached_property
    def windows(self) -> Windows:
        """Join windows."""
        return Windows(self._scope)

    @cached_property
    def admissions(self) -> Admissions:
        """Who was let in, and who waits."""
        return Admissions(self._scope)

    @cached_property
    def installations(self) -> Installations:
        """What installers have done."""
        return Installations(self._scope)

    @cached_property
    def rollovers(self) -> Rollovers:
        """Rollovers, their nodes, and those that are wanted."""
        return Rollovers(self._scope)

    @cached_property
    def nodes(self) -> Nodes:
        """Joined nodes as updates need them."""
        return Nodes(self._scope)

    @cached_property
    def pushes(self) -> Pushes:
        """Settings by number, and which nodes are to be told them."""
        return Pushes(self._scope)

    @cached_property
    def imports(self) -> Imports:
        """Staged imports."""
        return Imports(self._scope)

    @cached_property
    def events(self) -> Events:
        """The audit log, for reading."""
        return Events(self._scope)

    def random(self, count: int) -> bytes:
        """Bytes of the operating system's generator."""
        return self._writing.random(count)

    def record(self, event: Event) -> None:
        """Add to the audit log."""
        self._writing.record(event)

    def policy_changed(self) -> None:
        """Networks, keys or admissions changed: other readers must look again."""
        self._writing.ledger.policy_changed()

    @property
    def _writing(self) -> Transaction:
        if not isinstance(self._transaction, Transaction):
            raise StateError("a transaction that only reads was asked to write")
        return self._transaction
