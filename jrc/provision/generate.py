"""New keys for devices."""

from collections.abc import Sequence
from contextlib import suppress

from jrc.cojp.algorithms import AEADS
from jrc.errors import OperatorError
from jrc.model import PledgeId, Secret
from jrc.policy.credentials import MIN_KEY_BYTES
from jrc.provision.device import USUAL, Algorithms, Device, Settings
from jrc.provision.source import STUCK_HINT, KeySource

_TRIES = 2
"""Chance draws a key that looks weak in one of 10**10; twice in a row it never does."""


def generate(
    identifiers: Sequence[PledgeId],
    source: KeySource,
    algorithms: Algorithms = USUAL,
    settings: Settings | None = None,
    *,
    derived: bool = False,
) -> list[Device]:
    """A device with a new key for each identifier, in their order.

    ``derived``: with the parameters of RFC 9031 Appendix B in place of the PSK, which nobody has
    afterwards.

    Raises:
        OperatorError: the source has got stuck.
    """
    length = max(MIN_KEY_BYTES, AEADS[algorithms.aead].key_length)

    def made(identifier: PledgeId) -> Device:
        for _ in range(_TRIES):
            psk = Secret(source.draw(length))
            with suppress(ValueError):
                return Device.from_psk(identifier, psk, algorithms, settings, derived=derived)
        raise OperatorError("the random source gives keys that can be guessed", STUCK_HINT)

    return [made(identifier) for identifier in identifiers]
