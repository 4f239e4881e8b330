"""What the operator's use cases need of the store: one Protocol an aggregate, and ``Registry``."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from jrc.cojp.objects import LinkLayerKey
from jrc.model import Condition, Event, KeySetState, Network, Secret
from jrc.policy.keys import KeySet
from jrc.service.event_chain import Place
from jrc.service.gate_stores import AdmissionStore, WindowStore
from jrc.service.handover_store import HandoverStore
from jrc.service.identity_store import IdentityStore
from jrc.service.key_records import SealingStore
from jrc.service.node_store import NodeStore
from jrc.service.pledge_stores import CredentialStore, LeaseStore, PledgeStore
from jrc.service.push_records import PushStore
from jrc.service.records import (
    ChainedEvent,
    DatabaseState,
    Domain,
    Fingerprints,
    Generation,
    ImportBatch,
    InstallationRecord,
    PledgeChange,
    Provenance,
    StagedChange,
    StoredEvent,
    Wanted,
    Withdrawn,
)
from jrc.service.recovery_store import RecoveryStore
from jrc.service.rollover_store import RolloverStore
from jrc.service.token_store import TokenStore


class NetworkStore(Protocol):
    """Networks that were not removed; each row is authenticated as it is read."""

    def all(self) -> Mapping[int, Network]:
        """Every network by its number."""
        ...

    def sound(self) -> tuple[Mapping[int, Network], Collection[int]]:
        """Networks whose rows authenticate, by number, and the numbers of the others."""
        ...

    def by_name(self, name: str) -> Network | None:
        """The network of this name."""
        ...

    def add(self, network: Network) -> Network:
        """Write a new network; what comes back has its number."""
        ...

    def change(self, network: Network) -> None:
        """Write what changed; name and domain stay."""
        ...

    def identifiers_since(self, network_id: int) -> Mapping[bytes, int]:
        """Since when a network answers to each of its identifiers, in ms since 1970."""
        ...

    def remove(self, network_id: int) -> None:
        """Make the row a tombstone; its name is free again."""
        ...


class KeySetStore(Protocol):
    """Key domains and their generations of link-layer keys."""

    def domain(self, name: str) -> Domain | None:
        """The key domain of this name."""
        ...

    def domains(self, before_incarnation: int | None = None) -> Sequence[Domain]:
        """Every key domain, or those that were not renewed since ``before_incarnation`` began.

        Raises:
            StateError: a row does not authenticate.
        """
        ...

    def renewed(self, domain_id: int, incarnation: int) -> None:
        """Note that a domain has fresh keys in this incarnation of the database."""
        ...

    def add_domain(self, name: str, key_usages: Sequence[int]) -> Domain:
        """Write a new key domain."""
        ...

    def change_usages(self, domain_id: int, key_usages: Sequence[int]) -> None:
        """Give a domain without live keys other usages."""
        ...

    def generations(self, domain_id: int) -> Sequence[Generation]:
        """Every generation of a domain, oldest first."""
        ...

    def live(self, domain_id: int) -> Sequence[KeySet]:
        """The sets that are neither retired nor aborted, with their values, oldest first."""
        ...

    def of_generation(self, generation_id: int) -> tuple[int, tuple[LinkLayerKey, ...]]:
        """The number of a generation whose keys may be told, and the keys.

        Raises:
            StateError: it is retired or aborted, or does not authenticate.
        """
        ...

    def known_values(self, values: Sequence[Secret]) -> Mapping[bytes, int]:
        """MIC lengths by fingerprint, of those among ``values`` that were ever used."""
        ...

    def fingerprint(self, value: Secret) -> bytes:
        """What tells whether two key values are equal."""
        ...

    def add(self, domain_id: int, key_set: KeySet, provenance: Provenance) -> int:
        """Write a generation with its keys; its row number."""
        ...

    def set_state(self, generation_id: int, state: KeySetState) -> None:
        """Let a generation go on in its life.

        Raises:
            StateError: its row does not authenticate.
        """
        ...

    def is_held(self, network_id: int, generation_id: int, *, role: int | None = None) -> bool:
        """Whether any node of a network (of a role) was given this generation."""
        ...

    def retire_all(self, domain_id: int) -> None:
        """Retire every generation of a domain whose keys nobody is told any more.

        One that was damaged hinders nothing after that.
        """
        ...


class InstallationStore(Protocol):
    """What installers have put into the radios of 6LBRs."""

    def of(self, network_id: int) -> Sequence[InstallationRecord]:
        """The installers of a network that were ever run, by name.

        Raises:
            StateError: a row does not authenticate.
        """
        ...

    def save(self, record: InstallationRecord) -> None:
        """Write a row; its version goes up by one."""
        ...


class ImportStore(Protocol):
    """Staged imports."""

    def begin(self, source: str, actor: str, reason: str) -> int:
        """Open an import; its number."""
        ...

    def change(
        self, import_id: int, change: PledgeChange, identifier: bytes, *, waits: bool
    ) -> tuple[int, Fingerprints] | None:
        """Hold a change of an existing pledge ready; as ``PledgeStore.insert`` of its new key.

        ``waits`` is as in ``StagedChange``.
        """
        ...

    def enter_keys(self, entries: Sequence[tuple[bytes, int]]) -> Sequence[tuple[bytes, int]]:
        """Note whose keys these are; those that are somebody else's already.

        ``entries`` are fingerprints and numbers of credentials, in their order.
        """
        ...

    def withdraw(self, import_id: int, credential_ids: Sequence[int]) -> Sequence[Withdrawn]:
        """Delete staged credentials with their pledges, or the changes they were staged for."""
        ...

    def changed_by(self, import_id: int, pledge_ids: Sequence[int]) -> Mapping[int, StagedChange]:
        """Changes that this import holds ready for these pledges."""
        ...

    def overtaken(self, import_id: int) -> bytes | None:
        """A pledge that this import would change and can't, for what became of it meanwhile."""
        ...

    def unsettled(self, limit: int) -> tuple[ImportBatch, Sequence[StagedChange]] | None:
        """Changes that a published import has not made yet, of the one that was published first.

        One whose row was damaged changes nothing, and is left out once it was deleted.
        """
        ...

    def is_unsettled(self, import_id: int) -> bool:
        """Whether a published import has changes left to make."""
        ...

    def forget_changes(self, import_id: int, pledge_ids: Sequence[int]) -> None:
        """These changes are made."""
        ...

    def publish(self, import_id: int, row_count: int) -> None:
        """Make everything of it visible at once."""
        ...

    def discard(self, import_id: int, limit: int) -> bool:
        """Delete up to ``limit`` staged rows; False when the last is gone."""
        ...

    def leftover(self, before_ms: int | None = None) -> int | None:
        """An import that was neither published nor discarded, begun before a time if given."""
        ...


class EventStore(Protocol):
    """The audit log: for reading, and its oldest entries for removing."""

    def page(
        self, wanted: Wanted, *, after: int, limit: int, newest: bool = False
    ) -> Sequence[StoredEvent]:
        """Entries after a number in ascending order; ``newest`` gives the last ones instead."""
        ...

    def besides_joins(self, pledge: bytes, limit: int) -> Sequence[StoredEvent]:
        """The last entries about a pledge that are no joins, ascending."""
        ...

    def chain(self, *, after: int, limit: int) -> Sequence[ChainedEvent]:
        """All entries after a number, as their hashes cover them."""
        ...

    def links(self, wanted: Wanted, *, after: int, limit: int) -> Sequence[ChainedEvent]:
        """As ``chain``, of certain entries, each with the hash of the one before it.

        That hash is None where the entry before is missing.
        """
        ...

    def ends(self) -> tuple[Place, Place]:
        """The last entry that was removed for its age, and the last one of all."""
        ...

    def count(self) -> int:
        """How many entries there are, as both ends tell."""
        ...

    def hash_of(self, number: int) -> bytes | None:
        """What the row of an entry says is its hash; None where there is no such row."""
        ...

    def first_since(self, at_ms: int) -> int | None:
        """The first entry, in the order of their numbers, that is not older than a time."""
        ...

    def remove_up_to(self, number: int, limit: int) -> int:
        """Delete the oldest entries, at most ``limit`` and none after ``number``; how many.

        The chain goes on from the last of them, whose hash stays.
        """
        ...


class Registry(Protocol):
    """One transaction of the operator: all aggregates, time, chance and the audit log."""

    @property
    def networks(self) -> NetworkStore: ...
    @property
    def keysets(self) -> KeySetStore: ...
    @property
    def pledges(self) -> PledgeStore: ...
    @property
    def credentials(self) -> CredentialStore: ...
    @property
    def recoveries(self) -> RecoveryStore: ...
    @property
    def sealing(self) -> SealingStore: ...
    @property
    def leases(self) -> LeaseStore: ...
    @property
    def windows(self) -> WindowStore: ...
    @property
    def admissions(self) -> AdmissionStore: ...
    @property
    def installations(self) -> InstallationStore: ...
    @property
    def rollovers(self) -> RolloverStore: ...
    @property
    def nodes(self) -> NodeStore: ...
    @property
    def pushes(self) -> PushStore: ...
    @property
    def imports(self) -> ImportStore: ...
    @property
    def tokens(self) -> TokenStore: ...
    @property
    def identities(self) -> IdentityStore: ...
    @property
    def handovers(self) -> HandoverStore: ...
    @property
    def events(self) -> EventStore: ...

    @property
    def policy_revision(self) -> int:
        """That of networks, keys and rollovers as this transaction finds them."""
        ...

    @property
    def is_shared(self) -> bool:
        """Whether other registrars, on other hosts, may be at work on the database."""
        ...

    @property
    def database(self) -> DatabaseState:
        """Which database this is and whether it may be used, with what this transaction changed."""
        ...

    def set_condition(self, condition: Condition, detail: str = "") -> None:
        """Say whether the database may be used from this transaction on, and why."""
        ...

    def new_epoch(self, *, recovered: bool) -> None:
        """Make the database another one than all its copies; ``recovered``: an incarnation more."""
        ...

    @property
    def now_ms(self) -> int:
        """The time of the transaction, milliseconds since 1970."""
        ...

    @property
    def seen_ms(self) -> int:
        """The latest time that any transaction before this one had."""
        ...

    def random(self, count: int) -> bytes:
        """Bytes of the operating system's generator."""
        ...

    def record(self, event: Event) -> None:
        """Add to the audit log."""
        ...

    def policy_changed(self) -> None:
        """Networks, keys or admissions changed: other readers must look again."""
        ...
