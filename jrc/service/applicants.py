"""A pledge to enroll, checked by itself: identifier, keys, networks (RFC 9031 §3, §7.3, §9)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from jrc.cojp.algorithms import Aead, Hkdf
from jrc.cojp.oscore_context import context_from_keys, derive_keys_for_jrc
from jrc.model import Network, PledgeId, Profile, Secret
from jrc.policy.credentials import check_derived, check_identifier, check_psk, weakness_of
from jrc.policy.key_check import key_check
from jrc.policy.profiles import TRAITS
from jrc.service.records import (
    Fingerprints,
    KeyMaterial,
    OpenedKeys,
    StoredKeys,
)
from jrc.service.wording import may_hold_key, nearest

if TYPE_CHECKING:  # it knows all stores, and a process that prepares rows has none
    from jrc.service.registry import Registry

MAX_LABEL_CHARACTERS = 200
MAX_NETWORKS = 100
"""More that one pledge may join are a mistake; names without end would take memory."""
LAB = "lab"
"""The provenance of keys that everybody can compute, which only a lab takes."""
SIMULATED_NODES = "real nodes are told nothing while lab.nodes is set; never set it in production"
WEAK_KEYS = "keys that everybody can compute let everybody join; never do so in production"


class Purpose(StrEnum):
    """What keys are for that come with applicants."""

    ENROLL = "enroll"
    NEXT_FIRMWARE = "next firmware"
    """They wait beside the ones in force, until the device joins with them (row A5)."""
    TRANSFER = "transfer"
    """The devices come from another owner, maybe back to this one."""


@dataclass(frozen=True, slots=True)
class DerivedKeys:
    """Keys that were derived elsewhere (RFC 9031 App. B), named from the pledge's side."""

    pledge_sender_key: Secret
    pledge_recipient_key: Secret
    common_iv: Secret


class Applicant(NamedTuple):
    """A pledge to enroll; what is None or empty was not said.

    ``keys``: a PSK, or derived keys. ``networks`` are names, in the order of preference.
    ``provenance`` is how the keys came, ``source`` where from (a file and its line).
    ``allow_weak`` takes keys that everybody can compute, for a lab (``[lab]`` in the config).
    ``used_before``: another registrar has answered under the PSK, and its state did not come along;
    the pledge gets a new context by RFC 8613 App. B.2 before anything else.
    ``key_check`` is the key check value that the keys are said to have.
    """

    identifier: PledgeId
    keys: Secret | DerivedKeys
    networks: tuple[str, ...] = ()
    role: int | None = None
    label: str | None = None
    profile: Profile | None = None
    aead: int = Aead.AES_CCM_16_64_128.value
    hkdf: int = Hkdf.SHA_256.value
    provenance: str = "operator"
    source: str = ""
    allow_weak: bool = False
    used_before: bool = False
    key_check: str | None = None


class Fault(NamedTuple):
    """Why an applicant is refused: the column or option at fault, a sentence, what to do."""

    column: str
    reason: str
    hint: str = ""


class UnfitError(Exception):
    """Carries a fault out of the checks of one applicant; ``examine`` catches it."""

    def __init__(self, column: str, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.fault = Fault(column, reason, hint)


class Checked(NamedTuple):
    """An applicant that is good by itself, with its keys derived."""

    applicant: Applicant
    material: KeyMaterial
    prints: Fingerprints
    network_ids: tuple[int, ...]


def check_applicant(
    tx: "Registry", applicant: Applicant, networks: Mapping[str, Network]
) -> Checked | Fault:
    """The applicant with its keys derived, or what is wrong with it by itself."""
    alone = check_alone(applicant)
    if isinstance(alone, Fault):
        return alone
    applicant, keys = alone
    material = _material(applicant, keys)
    try:
        network_ids = network_ids_of(applicant.networks, networks)
    except UnfitError as error:
        return error.fault
    return Checked(applicant, material, tx.credentials.fingerprints(material), network_ids)


def check_alone(applicant: Applicant) -> tuple[Applicant, OpenedKeys] | Fault:
    """What needs no look at the database: the applicant with its keys checked and derived."""
    try:
        _check_words(applicant)
        check_used_before(applicant, applicant.profile)
        keys = _opened_keys(applicant)
    except UnfitError as error:
        return error.fault
    if applicant.allow_weak and _has_weak_keys(applicant):
        applicant = applicant._replace(provenance=LAB)
    return applicant, keys


def network_ids_of(names: Sequence[str], networks: Mapping[str, Network]) -> tuple[int, ...]:
    """The numbers of the networks that an applicant names.

    Raises:
        UnfitError: one is not there, or named twice.
    """
    network_ids = tuple(_network_id(name, networks) for name in names)
    if len(set(network_ids)) != len(network_ids):
        raise UnfitError("network", "a network is named twice")
    return network_ids


def _has_weak_keys(applicant: Applicant) -> bool:
    keys = applicant.keys
    values = (
        (keys,) if isinstance(keys, Secret) else (keys.pledge_sender_key, keys.pledge_recipient_key)
    )
    return any(weakness_of(applicant.identifier, value.reveal()) for value in values)


def _check_words(applicant: Applicant) -> None:
    try:
        check_identifier(applicant.identifier.value)
    except ValueError as error:
        raise UnfitError("pledge_id", str(error)) from None
    check_label(applicant.label or "")
    if len(applicant.networks) > MAX_NETWORKS:
        raise UnfitError("network", f"a pledge may join at most {MAX_NETWORKS} networks")


def check_label(label: str) -> None:
    """Returns if a pledge can be called so.

    Raises:
        UnfitError: it is too long, or can't be shown as it is.
    """
    if len(label) > MAX_LABEL_CHARACTERS or not label.isprintable():
        raise UnfitError(
            "label", f"a label has at most {MAX_LABEL_CHARACTERS} printable characters"
        )


def key_material(applicant: Applicant) -> KeyMaterial:
    """The applicant's keys, checked and derived (RFC 9031 §7.3 or App. B).

    Raises:
        UnfitError: they are not good.
    """
    return _material(applicant, _opened_keys(applicant))


def _material(applicant: Applicant, keys: OpenedKeys) -> KeyMaterial:
    psk, sender_key, recipient_key, common_iv = keys
    return KeyMaterial(
        psk=None if psk is None else Secret(psk),
        sender_key=Secret(sender_key),
        recipient_key=Secret(recipient_key),
        common_iv=Secret(common_iv),
        aead=applicant.aead,
        hkdf=applicant.hkdf,
        used_before=applicant.used_before,
    )


def _opened_keys(applicant: Applicant) -> OpenedKeys:
    keys = applicant.keys
    try:
        derived = _derive(applicant)
    except ValueError as error:
        raise UnfitError(key_column(applicant), str(error)) from None
    if applicant.key_check is not None and applicant.key_check != key_check(*derived):
        reason = f"is {applicant.key_check}, the key's is {key_check(*derived)}"
        raise UnfitError("key_check", reason, "the key was changed or mixed up on its way")
    return (keys.reveal() if isinstance(keys, Secret) else None, *derived)


def key_check_of(material: StoredKeys) -> str:
    """The key check value of a pledge's keys."""
    _, *derived = material.opened()
    return key_check(*derived)


def check_used_before(applicant: Applicant, profile: Profile | None) -> None:
    """One whose PSK was used elsewhere has to know RFC 8613 App. B.2 (RFC 8613 §7.2).

    ``profile`` is its own or its network's, None where the row alone does not tell.

    Raises:
        UnfitError: it does not.
    """
    recovers = profile is None or TRAITS[profile].recovers_context
    if applicant.used_before and not (isinstance(applicant.keys, Secret) and recovers):
        raise UnfitError(
            "used_before",
            "keys that another registrar has used are good only for a pledge with a PSK whose"
            " firmware knows RFC 8613 App. B.2",
            "give the device a new key",
        )


def _derive(applicant: Applicant) -> tuple[bytes, bytes, bytes]:
    """Sender key, recipient key and Common IV from the pledge's side, checked.

    Raises:
        ValueError: they are weak, or don't fit the algorithm.
    """
    identifier, keys = applicant.identifier, applicant.keys
    if isinstance(keys, Secret):
        check_psk(identifier, keys.reveal(), allow_weak=applicant.allow_weak)
        ours, theirs, common_iv = derive_keys_for_jrc(
            keys.reveal(), identifier.value, applicant.aead, applicant.hkdf
        )
        return theirs, ours, common_iv
    given = (
        keys.pledge_sender_key.reveal(),
        keys.pledge_recipient_key.reveal(),
        keys.common_iv.reveal(),
    )
    check_derived(identifier, *given, applicant.aead, allow_weak=applicant.allow_weak)
    context_from_keys(*given, identifier.value, applicant.aead)
    return given


def key_column(applicant: Applicant) -> str:
    """The column or option that its keys came in."""
    return "psk" if isinstance(applicant.keys, Secret) else "pledge_sender_key"


def _network_id(name: str, networks: Mapping[str, Network]) -> int:
    network = networks.get(name)
    if network is None:
        raise UnfitError(
            "network",
            f"there is no network {_shown(name)}{nearest(name, networks)}",
            "`jrc network add` makes one",
        )
    return network.id


def _shown(name: str) -> str:
    """The name, unless it may be a key in the wrong place."""
    return "of this name" if may_hold_key(name) else repr(name)
