"""Records that the operator's use cases and the store exchange; none shows a secret."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address
from typing import NamedTuple, Protocol

from jrc.model import Condition, KeySetState, PledgeState, Profile, Secret
from jrc.policy.leases import Lease


class KeyKind(StrEnum):
    """How a pledge's keys came: as a PSK, or derived from one that stayed elsewhere (App. B)."""

    PSK = "psk"
    DERIVED = "derived"


class KeyOrigin(StrEnum):
    """How keys came to the registrar; of a file it is ``import``, of a lab ``lab``."""

    OPERATOR = "operator"
    """By a person's command."""
    API = "api"
    """By a program of the operator's."""
    HANDOVER = "handover"
    """Sealed by the builder of the firmware."""
    SERIAL = "serial"
    """Read from the device while it was flashed."""
    GENERATE = "generate"
    """Drawn by `jrc pledge generate` on the builder's machine."""


OpenedKeys = tuple[bytes | None, bytes, bytes, bytes]
"""PSK, the pledge's sender key, its recipient key, Common IV."""


class StoredKeys(Protocol):
    """Keys on their way into the database, as ``KeyMaterial`` has them."""

    @property
    def aead(self) -> int:
        """The AEAD algorithm."""
        ...

    @property
    def hkdf(self) -> int:
        """The HKDF algorithm."""
        ...

    @property
    def used_before(self) -> bool:
        """Whether others have answered under them."""
        ...

    def opened(self) -> OpenedKeys:
        """The keys themselves."""
        ...


class KeyMaterial(NamedTuple):
    """A pledge's keys as they are stored; sender and recipient are the pledge's, as in its import.

    ``psk`` is None where only derived keys were given. Algorithms are COSE numbers.
    ``used_before``: what was answered under them is not known here (row M4).
    """

    psk: Secret | None
    sender_key: Secret
    recipient_key: Secret
    common_iv: Secret
    aead: int
    hkdf: int
    used_before: bool = False

    def opened(self) -> OpenedKeys:
        """As ``StoredKeys.opened``."""
        psk = None if self.psk is None else self.psk.reveal()
        return psk, self.sender_key.reveal(), self.recipient_key.reveal(), self.common_iv.reveal()


class Fingerprints(NamedTuple):
    """What tells whether keys are equal and gives none of them away."""

    psk: bytes | None
    sender: bytes
    recipient: bytes


class JoinedNode(NamedTuple):
    """A pledge that has joined a network, and the short identifier it holds there."""

    identifier: bytes
    short_identifier: int | None


class Withdrawn(NamedTuple):
    """A staged credential that an import has to do without.

    ``is_new``: it was to be the first of a pledge; else ``returns`` says of a removed one.
    """

    credential_id: int
    identifier: bytes
    source: str
    kind: KeyKind
    is_new: bool
    returns: bool


class CredentialState(StrEnum):
    """The life of a credential; fingerprints outlive it."""

    STAGED = "staged"
    CURRENT = "current"
    CANDIDATE = "candidate"
    """It waits for the device's next firmware, beside the one in force (row A5)."""
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"
    """It was a candidate that nobody has joined with."""
    TRANSFERRED = "transferred"
    """The device went to another owner."""
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


class Damage(StrEnum):
    """What of a pledge does not authenticate in the database, so that it is not answered."""

    ROW = "row"
    WINDOW = "replay window"
    SHORT_IDENTIFIER = "short identifier"
    ADMISSION = "admission"


@dataclass(frozen=True, slots=True, kw_only=True)
class PledgeRecord:
    """A pledge's row. ``staged`` says that it belongs to an import that is not published.

    One that is ``damaged`` does not authenticate: what it says may be shown, and is not to be
    worked with. ``credential_id`` is the key in force, ``candidate_id`` one that waits for the next
    firmware (row A5).
    """

    id: int
    identifier: bytes
    state: PledgeState
    state_before_revocation: PledgeState | None = None
    role: int = 0
    label: str = ""
    profile: Profile | None = None
    credential_id: int | None = None
    candidate_id: int | None = None
    import_id: int | None = None
    supersedes_id: int | None = None
    created_at_ms: int = 0
    updated_at_ms: int = 0
    version: int = 1
    network_ids: tuple[int, ...] = ()
    staged: bool = False
    damaged: bool = False


class NewPledge(NamedTuple):
    """A pledge that is not there yet, with its keys; ``source`` is where it came from."""

    identifier: bytes
    role: int
    label: str
    profile: Profile | None
    network_ids: tuple[int, ...]
    material: StoredKeys
    provenance: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PledgeChange:
    """What becomes of a pledge that is there; ``material`` is None where its key stays.

    ``pending``: the key waits for the next firmware, and nothing else changes (row A5).
    """

    pledge_id: int
    role: int
    label: str
    profile: Profile | None
    network_ids: tuple[int, ...]
    material: KeyMaterial | None
    provenance: str
    source: str
    pending: bool = False


class StagedChange(NamedTuple):
    """A change as an import holds it ready; ``credential_id`` is None where the key stays.

    The key ``waits`` for the device's next firmware, beside the one in force (row A5). Of a
    ``damaged`` one nothing counts but which row it is.
    """

    pledge_id: int
    credential_id: int | None
    role: int
    label: str
    profile: Profile | None
    network_ids: tuple[int, ...]
    source: str
    waits: bool = False
    damaged: bool = False


class ImportBatch(NamedTuple):
    """An import: who does it, and why."""

    id: int
    actor: str
    reason: str


class Waiting(NamedTuple):
    """That a pledge waits to be approved for a network, and since when."""

    network_id: int
    asked_at_ms: int | None


class Standing(NamedTuple):
    """What else is known of a pledge: where it joined, its identifiers by domain, its last join.

    Rows that do not authenticate are left out of it and named in ``damaged``. ``waiting`` are the
    networks that it waits to be approved for, ``address`` is what the operator says it is.
    ``next_number`` is the first of the registrar's own that no update was ever sent with; None
    where the context in force is another than the one that key and identifier give.
    """

    network_id: int | None
    leases: Sequence[Lease]
    joined_at_ms: int | None
    highest: int
    damaged: tuple[Damage, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    address: IPv6Address | None = None
    next_number: int | None = None


class DatabaseState(NamedTuple):
    """Which database this is, and whether it may be used.

    ``detail`` says why it is not open. ``incarnation`` counts how often its state was lost: what
    was made new in an earlier one may have been told otherwise since.
    """

    condition: Condition
    since_ms: int
    detail: str
    incarnation: int
    epoch: bytes


class Domain(NamedTuple):
    """A key domain: networks that share link-layer keys."""

    id: int
    name: str
    key_usages: tuple[int, ...]


class Provenance(StrEnum):
    """Where link-layer keys come from: drawn by this registrar, or in the firmware before it."""

    GENERATED = "generated"
    TAKEOVER = "takeover"


class Generation(NamedTuple):
    """A generation of link-layer keys without their values.

    ``has_addinfo`` says that a key comes with a key source (RFC 9031 §8.4.3.3);
    ``activated_at_ms`` and ``retired_at_ms`` are when it came into force and went, ms since 1970.
    """

    id: int
    number: int
    state: KeySetState
    key_ids: tuple[int, ...]
    provenance: Provenance = Provenance.GENERATED
    has_addinfo: bool = False
    activated_at_ms: int | None = None
    retired_at_ms: int | None = None


class ToldKeys(NamedTuple):
    """A live generation of a key domain's keys that a pledge may have, and its state."""

    domain_id: int
    state: KeySetState


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationRecord:
    """What an installer has done: the generation it last put in, and how its last try ended.

    ``failures`` counts those since then; ``error`` is None where the last try went well.
    ``version`` is that of its row, 0 where there is none yet.
    """

    network_id: int
    installer: str
    generation: int | None = None
    installed_at_ms: int | None = None
    tried_at_ms: int = 0
    failures: int = 0
    error: str | None = None
    version: int = 0


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


class Wanted(NamedTuple):
    """Which entries of the audit log; None is any. ``until_ms``, ``before`` are not included."""

    kind: str | None = None
    pledge: bytes | None = None
    network: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    before: int | None = None


class ChainedEvent(NamedTuple):
    """An entry of the audit log as its hash covers it, and the hash of the one before it.

    ``detail`` is the text that is stored. ``previous`` is None where nobody has asked for it.
    """

    number: int
    at_ms: int
    kind: str
    pledge: bytes | None
    network: str | None
    actor: str
    reason: str
    detail: str
    hash: bytes
    previous: bytes | None = None

    @property
    def fields(self) -> tuple[int | str | bytes | None, ...]:
        """What the hash covers, besides the hash before."""
        return self[:8]
