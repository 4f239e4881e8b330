"""A pledge to enroll, checked by itself: identifier, keys, networks (RFC 9031 §3, §7.3, §9)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from jrc.cojp.algorithms import Aead, Hkdf
from jrc.cojp.oscore import SecurityContext, context_from_keys, derive_for_jrc
from jrc.model import Network, PledgeId, Profile, Secret
from jrc.policy.credentials import check_derived, check_identifier, check_psk, weakness_of
from jrc.policy.profiles import TRAITS
from jrc.service.records import (
    Fingerprints,
    KeyMaterial,
)
from jrc.service.registry import Registry
from jrc.service.wording import nearest

MAX_LABEL_CHARACTERS = 200
LAB = "lab"
"""The provenance of keys that everybody can compute, which only a lab takes."""
WEAK_KEYS = "keys that everybody can compute let everybody join; never do so in production"


@dataclass(frozen=True, slots=True)
class DerivedKeys:
    """Keys that were derived elsewhere (RFC 9031 App. B), named from the pledge's side."""

    pledge_sender_key: Secret
    pledge_recipient_key: Secret
    common_iv: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Applicant:
    """A pledge to enroll; what is None or empty was not said.

    ``keys``: a PSK, or derived keys. ``networks`` are names, in the order of preference.
    ``provenance`` is how the keys came, ``source`` where from (a file and its line).
    ``allow_weak`` takes keys that everybody can compute, for a lab (``[lab]`` in the config).
    ``used_before``: another registrar has answered under the PSK, and its state did not come along;
    the pledge gets a new context by RFC 8613 App. B.2 before anything else.
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
    tx: Registry, applicant: Applicant, networks: Mapping[str, Network]
) -> Checked | Fault:
    """The applicant with its keys derived, or what is wrong with it by itself."""
    try:
        _check_words(applicant)
        material = key_material(applicant)
        network_ids = tuple(_network_id(name, networks) for name in applicant.networks)
        _check_used_before(applicant, networks)
    except UnfitError as error:
        return error.fault
    if len(set(network_ids)) != len(network_ids):
        return Fault("network", "a network is named twice")
    if applicant.allow_weak and _has_weak_keys(applicant):
        applicant = replace(applicant, provenance=LAB)
    return Checked(applicant, material, tx.credentials.fingerprints(material), network_ids)


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
    """The applicant's keys, checked and derived (RFC 9031 §7.3 or App. B)."""
    keys = applicant.keys
    psk = keys if isinstance(keys, Secret) else None
    try:
        security = _derive(applicant)
    except ValueError as error:
        raise UnfitError(key_column(applicant), str(error)) from None
    return KeyMaterial(
        psk=psk,
        sender_key=Secret(security.recipient_key),
        recipient_key=Secret(security.sender_key),
        common_iv=Secret(security.common_iv),
        aead=applicant.aead,
        hkdf=applicant.hkdf,
        used_before=applicant.used_before,
    )


def _check_used_before(applicant: Applicant, networks: Mapping[str, Network]) -> None:
    """One whose PSK was used elsewhere has to know RFC 8613 App. B.2 (RFC 8613 §7.2)."""
    if not applicant.used_before:
        return
    of_networks = [networks[name].profile for name in applicant.networks[:1]]
    profile = applicant.profile or next(iter(of_networks), Profile.RFC9031)
    if isinstance(applicant.keys, Secret) and TRAITS[profile].recovers_context:
        return
    raise UnfitError(
        "used_before",
        "keys that another registrar has used are good only for a pledge with a PSK whose firmware"
        " knows RFC 8613 App. B.2",
        "give the device a new key",
    )


def _derive(applicant: Applicant) -> SecurityContext:
    identifier, keys = applicant.identifier, applicant.keys
    if isinstance(keys, Secret):
        check_psk(identifier, keys.reveal(), allow_weak=applicant.allow_weak)
        return derive_for_jrc(keys.reveal(), identifier.value, applicant.aead, applicant.hkdf)
    given = (
        keys.pledge_sender_key.reveal(),
        keys.pledge_recipient_key.reveal(),
        keys.common_iv.reveal(),
    )
    check_derived(identifier, *given, applicant.aead, allow_weak=applicant.allow_weak)
    return context_from_keys(*given, identifier.value, applicant.aead)


def key_column(applicant: Applicant) -> str:
    """The column or option that its keys came in."""
    return "psk" if isinstance(applicant.keys, Secret) else "pledge_sender_key"


def _network_id(name: str, networks: Mapping[str, Network]) -> int:
    network = networks.get(name)
    if network is None:
        raise UnfitError(
            "network",
            f"there is no network {name!r}{nearest(name, networks)}",
            "`jrc network add` makes one",
        )
    return network.id
