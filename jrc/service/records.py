"""Records that the operator's use cases and the store exchange; none shows a secret."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from jrc.model import KeySetState, PledgeState, Profile, Secret
from jrc.policy.leases import Lease


class KeyKind(StrEnum):
    """How a pledge's keys came: as a PSK, or derived from one that stayed elsewhere (App. B)."""

    PSK = "psk"
    DERIVED = "derived"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyMaterial:
    """A pledge's keys as they are stored; sender and recipient are the pledge's, as in its import.

    ``psk`` is None where only derived keys were given. Algorithms are COSE numbers.
    """

    psk: Secret | None
    sender_key: Secret
    recipient_key: Secret
    common_iv: Secret
    aead: int
    hkdf: int

    @property
    def kind(self) -> KeyKind:
        """Which of the two it is."""
        return KeyKind.DERIVED if self.psk is None else KeyKind.PSK


class Fingerprints(NamedTuple):
    """What tells whether keys are equal and gives none of them away."""

    psk: bytes | None
    sender: bytes
    recipient: bytes


class CredentialState(StrEnum):
    """The life of a credential; fingerprints outlive it."""

    STAGED = "staged"
    CURRENT = "current"
    CANDIDATE = "candidate"
    SUPERSEDED = "superseded"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialRecord:
    """A credential without its secret. ``source`` says where it came from: a file and its line."""

    id: int
    pledge_id: int
    kind: KeyKind
    aead: int
    hkdf: int
    provenance: str
    source: str
    state: CredentialState
    import_id: int | None
    fingerprints: Fingerprints
    created_at_ms: int
    retired_at_ms: int | None


class KeyOwner(NamedTuple):
    """Whose a key is, or was."""

    pledge: bytes
    state: CredentialState
    source: str
    import_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PledgeRecord:
    """A pledge's row. ``staged`` says that it belongs to an import that is not published."""

    id: int
    identifier: bytes
    state: PledgeState
    state_before_revocation: PledgeState | None = None
    role: int = 0
    label: str = ""
    profile: Profile | None = None
    credential_id: int | None = None
    import_id: int | None = None
    supersedes_id: int | None = None
    created_at_ms: int = 0
    updated_at_ms: int = 0
    version: int = 1
    network_ids: tuple[int, ...] = ()
    staged: bool = False
    damaged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPledge:
    """A pledge that is not there yet, with its keys; ``source`` is where it came from."""

    identifier: bytes
    role: int
    label: str
    profile: Profile | None
    network_ids: tuple[int, ...]
    material: KeyMaterial
    provenance: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PledgeChange:
    """What becomes of a pledge that is there; ``material`` is None where its key stays."""

    pledge_id: int
    role: int
    label: str
    profile: Profile | None
    network_ids: tuple[int, ...]
    material: KeyMaterial | None
    provenance: str
    source: str


class StagedChange(NamedTuple):
    """A change as an import holds it ready; ``credential_id`` is None where the key stays."""

    pledge_id: int
    credential_id: int | None
    role: int
    label: str
    profile: Profile | None
    network_ids: tuple[int, ...]
    source: str


class Standing(NamedTuple):
    """What else is known of a pledge: where it joined, its identifiers by domain, its last join."""

    network_id: int | None
    leases: Sequence[Lease]
    joined_at_ms: int | None
    highest: int


class Domain(NamedTuple):
    """A key domain: networks that share link-layer keys."""

    id: int
    name: str
    key_usages: tuple[int, ...]


class Generation(NamedTuple):
    """A generation of link-layer keys without their values."""

    id: int
    number: int
    state: KeySetState
    key_ids: tuple[int, ...]


class StoredEvent(NamedTuple):
    """An entry of the audit log with its number and time."""

    number: int
    at_ms: int
    kind: str
    pledge: bytes | None
    network: str | None
    actor: str
    reason: str
    detail: Mapping[str, object]
