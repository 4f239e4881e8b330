"""All aggregates over one transaction, as the operator's use cases see them."""

from functools import cached_property

from jrc.errors import StateError
from jrc.model import Condition, Event
from jrc.service.records import DatabaseState
from jrc.store import ledger
from jrc.store.admissions import Admissions
from jrc.store.credentials import Credentials
from jrc.store.events import Events
from jrc.store.handovers import Handovers
from jrc.store.identities import Identities
from jrc.store.imports import Imports
from jrc.store.installations import Installations
from jrc.store.keysets import KeySets
from jrc.store.leases import Leases
from jrc.store.ledger import EPOCH_BYTES, Instance
from jrc.store.networks import Networks
from jrc.store.nodes import Nodes
from jrc.store.pledges import Pledges
from jrc.store.pushes import Pushes
from jrc.store.recoveries import Recoveries
from jrc.store.rollovers import Rollovers
from jrc.store.scope import Scope
from jrc.store.sealing import Sealing
from jrc.store.server import is_server
from jrc.store.tokens import Tokens
from jrc.store.transaction import ReadTransaction, Transaction
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

    @property
    def is_shared(self) -> bool:
        """Whether other registrars, on other hosts, may be at work on the database."""
        return is_server(self._scope.connection)

    @property
    def database(self) -> DatabaseState:
        """Which database this is and whether it may be used."""
        return self._instance.state()

    def set_condition(self, condition: Condition, detail: str = "") -> None:
        """Say whether the database may be used from this transaction on, and why."""
        self._writing.ledger.set_condition(condition, detail)

    def new_epoch(self, *, recovered: bool) -> None:
        """Make the database another one than all its copies; ``recovered``: an incarnation more."""
        self._writing.ledger.set_epoch(self.random(EPOCH_BYTES), recovered=recovered)

    @property
    def _instance(self) -> Instance:
        if isinstance(self._transaction, Transaction):
            return self._transaction.ledger.instance
        return self._as_read

    @cached_property
    def _as_read(self) -> Instance:
        return ledger.read(self._scope.connection, self._scope.mac)

    @cached_property
    def policy_revision(self) -> int:
        """That of networks, keys and rollovers as this transaction finds them."""
        return self._instance.policy_revision

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
    def sealing(self) -> Sealing:
        """Key slots and data keys."""
        return Sealing(self._scope)

    @cached_property
    def recoveries(self) -> Recoveries:
        """Contexts that lost their mutable half."""
        return Recoveries(self._scope)

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
    def tokens(self) -> Tokens:
        """Tokens of the admin API."""
        return Tokens(self._scope)

    @cached_property
    def identities(self) -> Identities:
        """Public credentials of devices."""
        return Identities(self._scope)

    @cached_property
    def handovers(self) -> Handovers:
        """Sealed files that were opened."""
        return Handovers(self._scope)

    @cached_property
    def events(self) -> Events:
        """The audit log."""
        is_writing = isinstance(self._transaction, Transaction)
        return Events(self._scope, self._writing.ledger if is_writing else None)

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
