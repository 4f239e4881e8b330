"""A random source that a test can foresee, and the devices that are made from it."""

import hashlib

from jrc.model import PledgeId
from jrc.provision.device import Device
from jrc.provision.generate import generate
from jrc.provision.source import KeySource

EUI64 = PledgeId.from_hex("00124b0014b5b67e")
OTHER = PledgeId.from_hex("00124b0014b5b67f")


class Counted:
    """Bytes that look random, other ones at each draw; ``given`` are all of them."""

    def __init__(self) -> None:
        self.given: list[bytes] = []

    def __call__(self, count: int) -> bytes:
        number = len(self.given).to_bytes(8)
        self.given.append(hashlib.shake_256(number).digest(count))
        return self.given[-1]


def device(*, derived: bool = False, identifier: PledgeId = EUI64) -> Device:
    """One device with a foreseeable key."""
    (made,) = generate([identifier], KeySource(Counted()), derived=derived)
    return made
