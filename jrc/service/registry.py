"""What the operator's use cases need of the store: one Protocol an aggregate, and ``Registry``."""

from collections.abc import Collection, Mapping, Sequence
from ipaddress import IPv6Address
from typing import Protocol

from jrc.cojp.objects import LinkLayerKey
from jrc.model import Event, KeySetState, Network, PledgeState, Profile, Secret
from jrc.policy.keys import KeySet
from jrc.service.gate_stores import AdmissionStore, WindowStore
from jrc.service.node_store import NodeStore
from jrc.service.push_records import PushStore
from jrc.service.records import (
    CredentialRecord,
    CredentialState,
    Domain,
    Fingerprints,
    Generation,
    InstallationRecord,
    JoinedNode,
    KeyMaterial,
    KeyOwner,
    NewPledge,
    PledgeChange,
    PledgeRecord,
    Provenance,
    StagedChange,
    Standing,
    StoredEvent,
    ToldKeys,
)
from jrc.service.rollover_records import RolloverStore


class NetworkStore(Protocol):
    """Networks that were not removed; each row is authenticated as it is read."""

    def all(self) -> Mapping[int, Network]:
        """Every network by its number."""
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

    def is_held(self, network_id: int, generation_id: int) -> bool:
        """Whether any node of a network was given this generation."""
        ...

    def retire_all(self, domain_id: int) -> None:
        """Retire every generation of a domain that no network uses any more."""
        ...


class PledgeStore(Protocol):
    """Pledges, their networks and where they have joined."""

    def find(self, identifiers: Sequence[bytes]) -> Mapping[bytes, PledgeRecord]:
        """The rows of these identifiers, tombstones and staged ones included.

        One that does not authenticate is marked ``damaged``.
        """
        ...

    def by_id(self, pledge_id: int) -> PledgeRecord:
        """One row by its number.

        Raises:
            StateError: it does not authenticate.
        """
        ...

    def page(
        self,
        *,
        after: bytes | None,
        limit: int,
        network_id: int | None = None,
        state: PledgeState | None = None,
    ) -> Sequence[PledgeRecord]:
        """Rows in the order of their identifiers, without tombstones and staged ones.

        ``state`` is what the row says, ``damaged`` gives every row; one that does not authenticate
        is marked ``damaged``.
        """
        ...

    def standing(self, pledges: Sequence[PledgeRecord]) -> Mapping[int, Standing]:
        """What else is known of these pledges, by row number."""
        ...

    def reports(self, pledge_id: int) -> Sequence[tuple[int, int, bytes | None]]:
        """The (code, label, addinfo) it has reported (RFC 9031 §8.4.5)."""
        ...

    def counts(self) -> Mapping[int | None, Mapping[PledgeState, int]]:
        """Pledges by network and state; under None each pledge once."""
        ...

    def assigned_only(self, network_id: int, limit: int) -> tuple[int, Sequence[bytes]]:
        """How many pledges have no other live network, and the first of them."""
        ...

    def joined(
        self, network_id: int, limit: int, *, before_ms: int | None = None
    ) -> tuple[int, Sequence[bytes]]:
        """How many pledges have joined a network, and the first of them.

        With ``before_ms`` those whose last join was before that time, in ms since 1970.
        """
        ...

    def nodes(self, network_id: int, domain_id: int) -> Sequence[JoinedNode]:
        """Who has joined a network and may stay, in the order of their identifiers.

        One whose row does not authenticate is left out; so is a short identifier.
        """
        ...

    def profiles(self, domain_id: int) -> Collection[Profile]:
        """Profiles of their own that pledges of a key domain's networks have."""
        ...

    def insert(self, pledges: Sequence[NewPledge], import_id: int | None) -> None:
        """Write new pledges with keys, contexts and windows that nothing was received in."""
        ...

    def save(self, pledge: PledgeRecord) -> None:
        """Write a changed row and its networks; its version goes up by one.

        Raises:
            StateError: it is damaged, and sealing it would make good what was changed in it.
        """
        ...

    def forget_place(self, pledge_id: int) -> None:
        """A pledge has to join again before it counts as joined."""
        ...

    def set_address(self, pledge_id: int, address: IPv6Address | None) -> None:
        """Where a joined pledge is reached; None is where its identifier says."""
        ...

    def forget_network(
        self, network_id: int, *, release: bool, joined_before_ms: int | None = None
    ) -> None:
        """Everybody in a network has to join again; ``release`` gives short identifiers back.

        With ``joined_before_ms`` only those whose last join was before that time.
        """
        ...

    def forget_reports(self, pledge_id: int) -> None:
        """Firmware or key changed: what it could not do is no longer known."""
        ...

    def blocklist(self, network_id: int) -> tuple[Sequence[bytes], bool]:
        """The revoked pledges that a network's nodes are told of, and whether some are left out.

        Those changed last come first (RFC 9031 §8.4.2).
        """
        ...

    def told_keys(self, pledge_ids: Sequence[int]) -> Mapping[int, Collection[ToldKeys]]:
        """The live keys that pledges may have: all that a datagram may have left with."""
        ...

    def revoked_with_keys(self, domain_id: int) -> int:
        """How many revoked pledges have their place with the keys in force of a key domain."""
        ...

    def forget_answers(self, pledge_ids: Sequence[int]) -> None:
        """No copy of what these pledges have asked is answered any more (row C11).

        A row that does not authenticate is left as it is.
        """
        ...


class CredentialStore(Protocol):
    """The keys that pledges have and had."""

    def fingerprints(self, material: KeyMaterial) -> Fingerprints:
        """What the keys are compared by."""
        ...

    def owners(self, fingerprints: Sequence[Fingerprints]) -> Mapping[bytes, KeyOwner]:
        """Who has, or had, any of these keys, by fingerprint."""
        ...

    def records(self, credential_ids: Sequence[int]) -> Mapping[int, CredentialRecord]:
        """Credentials by row number."""
        ...

    def count(self, provenance: str) -> int:
        """How many keys in force came so."""
        ...

    def history(self, pledge_id: int) -> Sequence[CredentialRecord]:
        """Every credential of a pledge, newest first, staged ones left out."""
        ...

    def insert(
        self, change: PledgeChange, identifier: bytes, import_id: int | None, *, staged: bool
    ) -> int:
        """Write a further credential with its context; a staged one can't be looked up yet."""
        ...

    def put_in_force(self, credential_id: int, identifier: bytes) -> None:
        """Make a staged credential one that can be looked up."""
        ...

    def retire(self, pledge_id: int, state: CredentialState, *, keep: int | None = None) -> None:
        """Wipe a pledge's secrets but those of ``keep``; windows and fingerprints stay."""
        ...


class LeaseStore(Protocol):
    """Short identifiers."""

    def release(self, pledge_id: int, *, but: Collection[int] = ()) -> None:
        """Take a pledge's short identifiers back, in all domains ``but`` these.

        They stay burned (RFC 9031 §8.4.4.1). A row that does not authenticate is left as it is.
        """
        ...

    def take_back(self, pledge_id: int, domain_id: int) -> None:
        """Let a pledge hold the short identifier again that was released and is still its own."""
        ...

    def bury(self, pledge_id: int) -> None:
        """Give back what a removed pledge has in rows that do not authenticate.

        They are burned in the newest keys of their key domain (RFC 9031 §8.4.4.1).
        """
        ...

    def burn(self, domain_id: int, generation: int, values: Collection[int]) -> None:
        """Keep values from everybody while ``generation`` lives: nodes unknown to us have them."""
        ...

    def taken_over(self, domain_id: int, oldest_live_generation: int) -> int:
        """How many values of a domain are burned for nodes that are unknown to us."""
        ...

    def used(self, domain_id: int, oldest_live_generation: int) -> int:
        """How many values of a domain are held or burned."""
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

    def begin(self, source: str) -> int:
        """Open an import; its number."""
        ...

    def change(self, import_id: int, change: PledgeChange, identifier: bytes) -> None:
        """Hold a change of an existing pledge ready."""
        ...

    def changed_by(self, import_id: int, pledge_ids: Sequence[int]) -> Mapping[int, StagedChange]:
        """Changes that this import holds ready for these pledges."""
        ...

    def changes(self, import_id: int, after: int, limit: int) -> Sequence[StagedChange]:
        """Changes in the order of their pledges' row numbers."""
        ...

    def publish(self, import_id: int, row_count: int) -> None:
        """Make everything of it visible at once."""
        ...

    def discard(self, import_id: int, limit: int) -> bool:
        """Delete up to ``limit`` staged rows; False when the last is gone."""
        ...

    def clear_changes(self, import_id: int) -> None:
        """Drop the changes of a published import."""
        ...

    def leftover(self) -> int | None:
        """An import that was neither published nor discarded."""
        ...


class EventStore(Protocol):
    """The audit log, for reading."""

    def page(
        self,
        *,
        after: int,
        limit: int,
        newest: bool = False,
        kind: str | None = None,
        pledge: bytes | None = None,
        network: str | None = None,
    ) -> Sequence[StoredEvent]:
        """Entries after a number in ascending order; ``newest`` gives the last ones instead."""
        ...

    def besides_joins(self, pledge: bytes, limit: int) -> Sequence[StoredEvent]:
        """The last entries about a pledge that are no joins, ascending."""
        ...

    def first_broken(self) -> int | None:
        """The number of the first entry that does not fit the chain of hashes."""
        ...

    def count(self) -> int:
        """How many entries the log should have."""
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
    def events(self) -> EventStore: ...

    @property
    def policy_revision(self) -> int:
        """That of networks, keys and rollovers as this transaction finds them."""
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
