"""What a build is given of a device, in one order and under one set of names for every form."""

from collections.abc import Iterator
from typing import NamedTuple

from jrc.cojp.algorithms import AEADS
from jrc.cojp.constants import JRC_ID
from jrc.provision.device import Device


class Part(NamedTuple):
    """One value and what it is for; forms put their own prefix before the name."""

    name: str
    value: bytes | int | str
    meaning: str


def parts(device: Device) -> Iterator[Part]:
    """The values of a device's build."""
    aead = AEADS[device.algorithms.aead]
    yield Part("PLEDGE_ID", device.identifier.value, "the pledge identifier: its kid context")
    yield Part("JRC_ID", JRC_ID, "the registrar's OSCORE identifier")
    yield from _keys(device)
    yield Part("AEAD", int(device.algorithms.aead), f"{aead.name}, by its COSE number")
    yield Part("AEAD_TAG_LEN", aead.tag_length, "bytes of its tag")
    yield Part("SSN_START", device.numbers.ssn_start, "the device's first sequence number")
    yield Part("RECV_START", device.numbers.recv_start, "the first it takes from the registrar")
    yield Part("KEY_CHECK", device.key_check, "key check value, no secret: to compare keys by")


def _keys(device: Device) -> Iterator[Part]:
    if device.psk is not None:
        yield Part("PSK", device.psk.reveal(), "OSCORE Master Secret; the Master Salt is empty")
        yield Part("HKDF", int(device.algorithms.hkdf), "the key derivation, by its COSE number")
        return
    sender_key, recipient_key, common_iv = (key.reveal() for key in device.keys)
    yield Part("SENDER_KEY", sender_key, "what the device sends with (RFC 9031 App. B)")
    yield Part("RECIPIENT_KEY", recipient_key, "what it receives with")
    yield Part("COMMON_IV", common_iv, "the Common IV")


def title(device: Device) -> Iterator[str]:
    """What stands above all of it, line by line."""
    yield f"SECRET: the key of the device {device.identifier}, made by `jrc pledge generate`."
    yield "Keep it readable by its owner alone, and out of version control and build logs."
    if device.is_derived:
        yield "Derived keys (RFC 9031 App. B): there is no PSK, so no RFC 8613 App. B.2 either."
