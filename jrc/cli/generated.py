"""What a person is told of keys that were made: never the keys."""

import shlex
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from jrc.cli import output
from jrc.cli.reporting import say
from jrc.provision.device import Device
from jrc.service.wording import counted

_COLUMNS = {"pledge_id": "PLEDGE", "key_check": "KEY CHECK"}
_KEPT_COLUMNS = {**_COLUMNS, "ssn_start": "SSN START", "recv_start": "RECV START"}
STDOUT = "-"


class Made(NamedTuple):
    """What a run has made. ``imported`` is the file for the registrar, ``-`` standard output."""

    devices: list[Device]
    files: list[str]
    out: str
    imported: str | None
    is_kept: bool

    @property
    def next(self) -> str | None:
        """The command that is to follow, None where there is none that could be copied."""
        if self.is_kept or self.imported in (None, STDOUT):
            return None
        return f"jrc pledge import {shlex.quote(str(self.imported))}"


def tell(made: Made, *, as_json: bool) -> None:
    """A row a device with its key check value, where the files are, and what to do next."""
    records = [_record(device) for device in made.devices]
    if as_json:
        output.document(_document(made, records))
        return
    if made.out != STDOUT:
        output.listing(records, _KEPT_COLUMNS if made.is_kept else _COLUMNS, as_json=False)
    for line in _lines(made):
        say(line)


def _record(device: Device) -> dict[str, object]:
    return {
        "pledge_id": str(device.identifier),
        "key_check": device.key_check,
        "ssn_start": device.numbers.ssn_start,
        "recv_start": device.numbers.recv_start,
        "derived": device.is_derived,
    }


def _document(made: Made, records: list[dict[str, object]]) -> Mapping[str, object]:
    return {
        "count": len(records),
        "kept": made.is_kept,
        "files": made.files,
        "import_file": made.imported,
        "next": made.next,
        "devices": records,
    }


def _lines(made: Made) -> Iterator[str]:
    keys = counted(len(made.devices), "key")
    where = "on standard output" if made.out == STDOUT else f"in {made.out}"
    beside = made.imported not in (None, made.out)
    also = f", and for the registrar in {made.imported}" if beside else ""
    yield f"{keys} {'kept' if made.is_kept else 'made'}: {where}{also}"
    if any(device.is_derived for device in made.devices):
        yield (
            "a device with derived keys has no PSK: where its context is lost (RFC 8613 App. B.2)"
            " it needs a new key"
        )
    if made.is_kept:
        yield "the registrar has these keys, so nothing is to be imported: flash the devices now"
        if made.imported is None:
            yield "say --import-file FILE to have these numbers for the next --keep"
    elif made.next is not None:
        yield f"next: {made.next}"
        yield (
            "for devices that have a key, say --pending-firmware (both are good until the new one"
            " is used) or --on-conflict replace (the former is silent at once)"
        )
