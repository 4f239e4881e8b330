"""What the operator's use cases need of the store about pledges, their keys and identifiers."""

from collections.abc import Collection, Mapping, Sequence
from ipaddress import IPv6Address
from typing import Protocol

from jrc.model import PledgeState, Profile
from jrc.service.records import (
    CredentialRecord,
    CredentialState,
    Fingerprints,
    JoinedNode,
    KeyMaterial,
    KeyOwner,
    NewPledge,
    PledgeChange,
    PledgeRecord,
    Standing,
    ToldKeys,
)


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

    def superseded_by(self, pledge_id: int) -> PledgeRecord | None:
        """The row of the pledge that has taken this one's place, tombstones included."""
        ...

    def page(
        self,
        *,
        after: bytes | None,
        limit: int,
        network_id: int | None = None,
        state: PledgeState | None = None,
        recovering: bool = False,
        search: str | None = None,
    ) -> Sequence[PledgeRecord]:
        """Rows in the order of their identifiers, without tombstones and staged ones.

        ``search`` is a part of the label or of the identifier in hex.
        ``recovering`` gives those alone that wait for RFC 8613 App. B.2.
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
        """Who has joined a network, has its keys and may stay, in the order of their identifiers.

        One whose row does not authenticate is left out; so is a short identifier.
        """
        ...

    def profiles(self, domain_id: int) -> Collection[Profile]:
        """Profiles of their own that pledges of a key domain's networks have."""
        ...

    def known(self, identifiers: Sequence[bytes]) -> Collection[bytes]:
        """Those of these identifiers that there is a row of, whatever it says."""
        ...

    def insert(
        self, pledges: Sequence[NewPledge], import_id: int | None
    ) -> Sequence[tuple[int, Fingerprints]]:
        """Write new pledges with keys, contexts and windows that nothing was received in.

        Gives the numbers of their credentials and what their keys are compared by, which for an
        import is still to be entered (``ImportStore.enter_keys``).
        """
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

    def with_retired_keys(self) -> Mapping[int, int]:
        """How many nodes have their place with keys that are retired, by network."""
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

    def add_candidate(self, change: PledgeChange, identifier: bytes) -> int:
        """Write a key that waits for the next firmware, with its context (row A5); its number."""
        ...

    def set_state(self, credential_id: int, state: CredentialState) -> None:
        """Let a credential go on in its life; what is wiped is ``wipe``'s affair."""
        ...

    def wipe(self, credential_id: int, state: CredentialState) -> None:
        """Wipe the secrets of one; its window and its fingerprints stay."""
        ...

    def check_values(self, credential_ids: Sequence[int]) -> Mapping[int, str]:
        """The key check values of those that are not wiped (``policy/key_check.py``)."""
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

    def forget_all(self, domain_id: int) -> None:
        """Make every value of a domain free again: all its generations of keys are retired.

        Nobody gets back the one it had: what others were given since is not known (row E8).
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
