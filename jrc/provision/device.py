"""A device and what is built into it: its keys, and where its sequence numbers begin."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

from jrc.cojp.algorithms import Aead, Hkdf
from jrc.cojp.oscore_context import context_from_keys, derive_for_jrc
from jrc.model import PledgeId, Secret
from jrc.policy.credentials import check_derived, check_psk
from jrc.policy.key_check import key_check


class Algorithms(NamedTuple):
    """OSCORE's algorithms (RFC 9031 §7.3.3)."""

    aead: Aead = Aead.AES_CCM_16_64_128
    hkdf: Hkdf = Hkdf.SHA_256


class Numbers(NamedTuple):
    """Where a device's numbers begin: ``ssn_start`` is its first own, ``recv_start`` the first that
    it takes from the registrar (RFC 8613 Appendix B.1)."""

    ssn_start: int = 0
    recv_start: int = 0


class DerivedKeys(NamedTuple):
    """The parameters of RFC 9031 Appendix B, named from the pledge's side."""

    pledge_sender_key: Secret
    pledge_recipient_key: Secret
    common_iv: Secret


Settings = Mapping[str, str]
"""What an import is told beside the key, by column: network, role, label, profile."""

FROM_THE_START = Numbers()
USUAL = Algorithms()


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One device. ``psk`` is None where it gets derived keys alone (RFC 9031 Appendix B)."""

    identifier: PledgeId
    psk: Secret | None
    keys: DerivedKeys
    algorithms: Algorithms = USUAL
    numbers: Numbers = FROM_THE_START
    settings: Settings = field(default_factory=dict)

    @classmethod
    def from_psk(
        cls,
        identifier: PledgeId,
        psk: Secret,
        algorithms: Algorithms = USUAL,
        settings: Settings | None = None,
        *,
        derived: bool = False,
    ) -> Self:
        """A device with this PSK, or with what ``derived`` from it.

        Raises:
            ValueError: a key is one that the registrar refuses; never says what it is.
        """
        check_psk(identifier, psk.reveal())
        keys = derived_keys(identifier, psk, algorithms)
        if derived:
            _check(identifier, keys, algorithms)
        return cls(
            identifier=identifier,
            psk=None if derived else psk,
            keys=keys,
            algorithms=algorithms,
            settings=settings or {},
        )

    @classmethod
    def from_derived(
        cls,
        identifier: PledgeId,
        keys: DerivedKeys,
        algorithms: Algorithms = USUAL,
        settings: Settings | None = None,
    ) -> Self:
        """A device whose PSK nobody knows any more.

        Raises:
            ValueError: a key is one that the registrar refuses; never says what it is.
        """
        _check(identifier, keys, algorithms)
        context_from_keys(*_revealed(keys), identifier.value, algorithms.aead)
        return cls(
            identifier=identifier,
            psk=None,
            keys=keys,
            algorithms=algorithms,
            settings=settings or {},
        )

    def without_psk(self) -> Self:
        """The same device with its derived keys alone (RFC 9031 Appendix B)."""
        return replace(self, psk=None)

    @property
    def is_derived(self) -> bool:
        """Whether it has no PSK, and so can't do RFC 8613 Appendix B.2."""
        return self.psk is None

    @property
    def key_check(self) -> str:
        """What tells two people that they hold the same key."""
        return key_check(*_revealed(self.keys))


def derived_keys(identifier: PledgeId, psk: Secret, algorithms: Algorithms = USUAL) -> DerivedKeys:
    """What takes the place of a PSK: what the registrar sends with, the pledge receives with."""
    context = derive_for_jrc(psk.reveal(), identifier.value, *algorithms)
    keys = (context.recipient_key, context.sender_key, context.common_iv)
    return DerivedKeys(*map(Secret, keys))


def _check(identifier: PledgeId, keys: DerivedKeys, algorithms: Algorithms) -> None:
    check_derived(identifier, *_revealed(keys), algorithms.aead)


def _revealed(keys: DerivedKeys) -> tuple[bytes, bytes, bytes]:
    sender_key, recipient_key, common_iv = (key.reveal() for key in keys)
    return sender_key, recipient_key, common_iv
