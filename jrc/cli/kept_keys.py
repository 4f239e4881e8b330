"""The builder's former output, and what the registrar says of its devices."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from jrc.cli.identifiers import read_list
from jrc.cli.keyfiles import STDIN, open_input
from jrc.cojp.algorithms import Aead, Hkdf
from jrc.errors import ExitCode, OperatorError
from jrc.model import Secret
from jrc.provision.device import Algorithms, DerivedKeys, Device, Numbers
from jrc.provision.keeping import Known, known_from
from jrc.service.applicants import Applicant
from jrc.service.import_fields import applicant_of
from jrc.service.import_file import format_of, read_rows
from jrc.service.import_rows import Row, RowError

_PIECE_BYTES = 64 * 1024
_SETTINGS = ("network", "role", "label", "profile")


def devices_from(names: Sequence[str]) -> dict[bytes, Device]:
    """The devices in files that an import takes, by identifier.

    Raises:
        OperatorError: one can't be read, has a fault, or names a device that another names.
    """
    found: dict[bytes, Device] = {}
    for name in names:
        for row in _rows(name):
            device = _device(row, name)
            if device.identifier.value in found:
                raise _wrong(f"{device.identifier} has two keys in what --keep names")
            found[device.identifier.value] = device
    return found


def known_in(names: Sequence[str]) -> dict[bytes, Known]:
    """What the outputs of `jrc pledge show --json` in files say, by identifier.

    Raises:
        OperatorError: one can't be read, holds something else, or names a device twice.
    """
    found: dict[bytes, Known] = {}
    for name in names:
        for identifier, known in known_from(read_list(name), name).items():
            if identifier in found:
                raise _wrong(f"{identifier.hex()} is there twice in what --state names")
            found[identifier] = known
    return found


def _rows(name: str) -> Iterator[Row]:
    file = open_input(name)
    try:
        chunks = iter(lambda: file.read(_PIECE_BYTES), b"")
        for entry in read_rows(chunks, format_of(name)):
            if isinstance(entry, RowError):
                raise _fault(name, entry)
            yield entry
    finally:
        if name != STDIN:
            file.close()


def _device(row: Row, name: str) -> Device:
    applicant, faults = applicant_of(row, name)
    if applicant is None:
        raise _fault(name, faults[0])
    settings = {column: row.fields[column] for column in _SETTINGS if column in row.fields}
    try:
        device = _with_keys(applicant, settings)
    except ValueError as error:
        raise _wrong(f"{name}, line {row.line}: {error}") from None
    if applicant.key_check not in (None, device.key_check):
        raise _wrong(f"{name}, line {row.line}: the key is not the one its key_check is of")
    starts = (int(row.fields.get(column, "0")) for column in Numbers._fields)
    return replace(device, numbers=Numbers(*starts))


def _with_keys(applicant: Applicant, settings: dict[str, str]) -> Device:
    algorithms = Algorithms(Aead(applicant.aead), Hkdf(applicant.hkdf))
    keys = applicant.keys
    if isinstance(keys, Secret):
        return Device.from_psk(applicant.identifier, keys, algorithms, settings)
    derived = DerivedKeys(keys.pledge_sender_key, keys.pledge_recipient_key, keys.common_iv)
    return Device.from_derived(applicant.identifier, derived, algorithms, settings)


def _fault(name: str, fault: RowError) -> OperatorError:
    column = f", {fault.column}" if fault.column else ""
    return _wrong(f"{name}, line {fault.line}{column}: {fault.reason}")


def _wrong(message: str) -> OperatorError:
    return OperatorError(
        message,
        "--keep takes a csv, json, yaml or cose file that `jrc pledge generate` made",
        exit_code=ExitCode.USAGE,
    )
