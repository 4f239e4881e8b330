"""Keys of devices on a bench, and what the registrar says of them.

A new device's key is in force at once. One that the registrar knows gets one where that was asked
for, or where it never used the one that it got in the same way; it keeps its former key until it
joins with the new one.
"""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Final, NamedTuple

from jrc.cli.answers import number, records
from jrc.cli.client import Api, segment
from jrc.cli.output import Record
from jrc.errors import ExitCode, OperatorError
from jrc.model import PledgeId
from jrc.provision.bench_plan import Answer
from jrc.provision.device import Device
from jrc.provision.records import record

PROVENANCE: Final = "serial"
_IN_USE: Final = ("current", "candidate")
_OUT: Final = ("revoked", "superseded", "transferred", "removed")
_ENTERED: Final = ("added", "returned", "pending", "unchanged")
_ROUTER: Final = "6lbr"
_ERASE: Final = (
    "erase its flash, and it gets a new key; or import the one it has from where that was made"
)

_IS_KNOWN: Final = Answer(
    "the registrar knows a device of that name, and whoever is on the port can say any name",
    "if it is that device, say --renew: its former key goes with its first join under the new one",
)
_IS_ROUTER: Final = Answer(
    "it is a 6LBR at the registrar, and whoever is on the port can say any name",
    "if it is that 6LBR, say --role 6lbr --renew",
)


class Terms(NamedTuple):
    """To whom keys are given: ``columns`` are what an import says of devices that are new;
    ``renews`` whether those get one too that the registrar knows."""

    columns: Mapping[str, str]
    renews: bool = False


def enter(api: Api, device: Device, terms: Terms, where: str, reason: str) -> Answer:
    """What the registrar says to a device's new key.

    The same key may be given again, where it is not known what became of it.

    Raises:
        OperatorError: the registrar can't be reached.
    """
    asked = {"source": where, "format": "json", "reason": reason}
    row = {**record(device), "provenance": PROVENANCE}
    try:
        first = api.upload(
            "/v1/imports", {**asked, "on_conflict": "skip"}, _body({**row, **terms.columns})
        )
        if _is_entered(first):
            return Answer()
        if objection := _objection(api, device, terms):
            return _fault(first) or objection
        waiting = api.upload("/v1/imports", {**asked, "pending_firmware": 1}, _body(row))
    except OperatorError as error:
        return _refusal(error)
    if _is_entered(waiting):
        return Answer()
    return _fault(first) or _fault(waiting) or Answer("the registrar did not take its key")


def _objection(api: Api, device: Device, terms: Terms) -> Answer | None:
    """Why a device gets no second key; of those that are put out the registrar says it."""
    try:
        pledge = api.get(_path(device.identifier))
    except OperatorError as error:
        return _refusal(error)
    if pledge["state"] in _OUT:
        return None
    if pledge["role"] == _ROUTER != terms.columns.get("role"):
        return _IS_ROUTER
    return None if terms.renews or _is_unused(pledge, device) else _IS_KNOWN


def _is_unused(pledge: Record, device: Device) -> bool:
    """Whether it never used its key, which came as the new one does: its word was lost."""
    keys = [key for key in records(pledge["keys"]) if key["state"] in _IN_USE]
    is_ours = all(key["provenance"] == PROVENANCE for key in keys)
    is_there = any(key["key_check"] == device.key_check for key in keys)
    return is_there or (is_ours and pledge["highest_number"] == -1)


def _is_entered(done: Mapping[str, object]) -> bool:
    return any(number(done[outcome]) for outcome in _ENTERED)


def _fault(done: Mapping[str, object]) -> Answer | None:
    for error in records(done["errors"]):
        return Answer(str(error["reason"]), str(error["hint"] or ""))
    return None


async def _body(row: Mapping[str, object]) -> AsyncIterator[bytes]:
    yield json.dumps([row]).encode()


def compare(api: Api, identifier: PledgeId, check: str) -> Answer:
    """Whether a device's key with this check value is in force at the registrar, or waits there.

    Raises:
        OperatorError: the registrar can't be reached.
    """
    try:
        pledge = api.get(_path(identifier))
    except OperatorError as error:
        refusal = _refusal(error)
        return Answer(f"it has a key ({check}), and {refusal.why}", refusal.remedy or _ERASE)
    if pledge["state"] in _OUT:
        what = f"it has a key ({check}), and is {pledge['state']} at the registrar"
        return Answer(what, "`jrc pledge restore` or `jrc pledge remove` comes first")
    held = [key["key_check"] for key in records(pledge["keys"]) if key["state"] in _IN_USE]
    if check in held:
        return Answer()
    theirs = " or ".join(str(each) for each in held if each) or "none"
    return Answer(f"it has another key ({check}) than the registrar ({theirs})", _ERASE)


def _path(identifier: PledgeId) -> str:
    return f"/v1/pledges/{segment('ID', str(identifier))}"


def _refusal(error: OperatorError) -> Answer:
    """What the registrar refuses for good; where it is not there, it is asked again later."""
    if error.exit_code is ExitCode.UNREACHABLE:
        raise error
    return Answer(error.message, error.hint)
