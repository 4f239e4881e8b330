"""CSV, JSON, YAML and COSE_Keys: what ``jrc pledge import`` reads, and the builder keeps."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Final

import cbor2

from jrc.cojp.algorithms import AEADS, HASHES
from jrc.errors import ExitCode, OperatorError
from jrc.provision.device import USUAL, Device

PROVENANCE = "generate"
"""How the registrar says that it came by these keys."""


def csv_text(devices: Sequence[Device]) -> str:
    """A header and a row a device, with the columns that some device has."""
    records = [record(device) for device in devices]
    columns = list(dict.fromkeys(name for each in records for name in each))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return out.getvalue()


def json_text(devices: Sequence[Device]) -> str:
    """An array with an object a device, one a line."""
    rows = ",\n".join(json.dumps(record(device)) for device in devices)
    return f"[\n{rows}\n]\n"


def yaml_text(devices: Sequence[Device]) -> str:
    """A list with a map a device, its keys last: without these a row that was cut off is refused.

    Texts stand in quotes as JSON has them, which YAML reads alike (YAML 1.2.2 §1.3).
    """
    rows = (
        "\n  ".join(
            f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in _keys_last(device)
        )
        for device in devices
    )
    return "".join(f"- {row}\n" for row in rows)


def _keys_last(device: Device) -> list[tuple[str, str | int]]:
    keys = _keys(device)
    return sorted(record(device).items(), key=lambda pair: pair[0] in keys)


_KTY, _KID, _K = 1, 2, -1
_SYMMETRIC: Final = 4
"""Of a COSE_Key: labels (RFC 9052 §7.1, RFC 9053 §6.2), and the type of a symmetric key."""
_SAID_SO: Final = ("pledge_id", "psk")
"""Columns for which COSE has these labels."""


def cose_key_set(devices: Sequence[Device]) -> bytes:
    """A COSE_KeySet (RFC 9052 §7) with a symmetric key a device; our columns are labels of text.

    Raises:
        OperatorError: a device has derived keys alone, of which COSE knows nothing.
    """
    return cbor2.dumps([_cose_key(device) for device in devices])


def _cose_key(device: Device) -> dict[int | str, object]:
    if device.psk is None:
        raise OperatorError(
            f"{device.identifier} has derived keys, and a COSE_Key holds one key alone",
            "write them as csv, json or yaml, or leave --derived out",
            exit_code=ExitCode.USAGE,
        )
    rest: dict[int | str, object] = {
        name: value for name, value in record(device).items() if name not in _SAID_SO
    }
    return {_KTY: _SYMMETRIC, _KID: device.identifier.value, _K: device.psk.reveal(), **rest}


def record(device: Device) -> dict[str, str | int]:
    """A device's columns, as an import knows them."""
    numbers = device.numbers
    return {
        "pledge_id": str(device.identifier),
        **_keys(device),
        **_algorithms(device),
        **device.settings,
        "ssn_start": numbers.ssn_start,
        "recv_start": numbers.recv_start,
        "key_check": device.key_check,
        "provenance": PROVENANCE,
    }


def _keys(device: Device) -> dict[str, str]:
    if device.psk is not None:
        return {"psk": device.psk.reveal().hex()}
    return {name: key.reveal().hex() for name, key in device.keys._asdict().items()}


def _algorithms(device: Device) -> dict[str, str]:
    """Those that are not what an import takes where nothing is said."""
    aead, hkdf = device.algorithms
    said = {"aead": AEADS[aead].name} if aead != USUAL.aead else {}
    return said | ({"hkdf": HASHES[hkdf][0]} if hkdf != USUAL.hkdf else {})
