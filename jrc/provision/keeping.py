"""A device that keeps its key when it is flashed anew: only if its numbers go on as well.

Numbers that begin anew would repeat nonces, and what the registrar has accepted would be silent
replays to it. The highest number that it has accepted is no bound: lost requests may be above, all
of those perhaps that began where the former output says. And a device with a blank window would
answer old updates again (RFC 8613 §7.2.1, Appendix B.1).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from jrc.cojp.constants import MAX_SEQUENCE_NUMBER
from jrc.errors import ExitCode, OperatorError
from jrc.model import PledgeId
from jrc.provision.device import Device, Numbers

MARGIN = 1 << 24
"""How far above the highest accepted number a device goes on: a request a second for 6 months."""
NEW_KEY = "give it a new key: leave --keep out"


class Known(NamedTuple):
    """What the registrar says of a device.

    ``next_number`` is None where its security context is not the one that its key and identifier
    give. ``checks`` are the key check values of its keys in force, empty where it does not say.
    """

    highest: int
    next_number: int | None
    obstacle: str = ""
    checks: tuple[str, ...] = ()


def kept(
    devices: Mapping[bytes, Device], identifiers: Sequence[PledgeId], known: Mapping[bytes, Known]
) -> list[Device]:
    """The devices with these identifiers, their keys kept and their numbers going on.

    ``devices`` are those of the builder's former output, by identifier.

    Raises:
        OperatorError: one of them was not there before, or its numbers can't go on.
    """
    return [_kept(identifier, devices, known) for identifier in identifiers]


def _kept(
    identifier: PledgeId, devices: Mapping[bytes, Device], known: Mapping[bytes, Known]
) -> Device:
    device, said = devices.get(identifier.value), known.get(identifier.value)
    if device is None:
        raise _unfit(
            f"{identifier} has no key in what --keep names",
            "name the file of its key as well, or leave --keep out for a new key",
        )
    if said is None:
        raise _unfit(
            f"{identifier}: without what the registrar knows of its numbers its key can't be kept",
            f"run `jrc pledge show {identifier} --json` and give its output with --state",
        )
    if said.checks and device.key_check not in said.checks:
        raise _unfit(
            f"{identifier}: the registrar has another key than what --keep names (key check value"
            f" {' or '.join(said.checks)}, and not {device.key_check})",
            "take the file with its newest key",
        )
    return replace(device, numbers=_numbers(identifier, said, device.numbers))


def _numbers(identifier: PledgeId, said: Known, former: Numbers) -> Numbers:
    """Where its numbers go on. All requests of ``former`` may have been lost."""
    if said.obstacle:
        raise _unfit(f"{identifier}: {said.obstacle}, so its numbers can't go on", NEW_KEY)
    if said.next_number is None:
        raise _unfit(
            f"{identifier}: its security context was replaced since (RFC 8613 Appendix B.2), so"
            " what is built in would not fit",
            NEW_KEY,
        )
    highest = max(said.highest, former.ssn_start - 1)
    numbers = Numbers(highest + MARGIN, said.next_number)
    if max(numbers) > MAX_SEQUENCE_NUMBER:
        raise _unfit(f"{identifier}: its sequence numbers are used up", NEW_KEY)
    return numbers


def known_from(text: str, name: str) -> dict[bytes, Known]:
    """What ``jrc pledge show --json`` says of devices: its outputs one after the other, or a list.

    Raises:
        OperatorError: ``text``, the contents of ``name``, is something else.
    """
    found: dict[bytes, Known] = {}
    for entry in _objects(text, name):
        identifier, known = _known(entry, name)
        if identifier.value in found:
            raise _no_state(f"{name} has {identifier} twice")
        found[identifier.value] = known
    return found


def _objects(text: str, name: str) -> Iterator[Mapping[str, object]]:
    decoder, at, text = json.JSONDecoder(), 0, text.strip()
    while at < len(text):
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            line = text.count("\n", 0, at) + 1
            raise _no_state(f"{name}: what begins in line {line} is not JSON") from None
        for entry in value if isinstance(value, list) else [value]:
            if not isinstance(entry, dict):
                raise _no_state(f"{name} holds something else than pledges")
            yield entry
        at = end + len(text[end:]) - len(text[end:].lstrip())


def _known(entry: Mapping[str, object], name: str) -> tuple[PledgeId, Known]:
    try:
        identifier = PledgeId.from_hex(_text(entry["pledge_id"]))
    except (KeyError, ValueError):
        raise _no_state(f"{name} holds an object without the pledge_id of a pledge") from None
    where = f"{name}, {identifier}"
    for field in ("highest_number", "next_sender_number"):
        if field not in entry:
            raise _no_state(f"{where}: {field} is missing")
    highest = _number(entry["highest_number"], f"{where}: highest_number", -1)
    following = entry["next_sender_number"]
    if following is not None:
        following = _number(following, f"{where}: next_sender_number", 0)
    return identifier, Known(highest, following, _obstacle(entry), _checks(entry))


def _obstacle(entry: Mapping[str, object]) -> str:
    if entry.get("damage") is not None:
        return "its rows in the registrar's database are damaged"
    if entry.get("recovery") is not None:
        return "its security context was lost"
    state = entry.get("state")
    if state in ("revoked", "superseded", "transferred", "removed"):
        return f"it is {state}"
    return ""


def _checks(entry: Mapping[str, object]) -> tuple[str, ...]:
    keys = entry.get("keys")
    if not isinstance(keys, list):
        return ()
    values = (
        key.get("key_check")
        for key in keys
        if isinstance(key, dict) and key.get("state") == "current"
    )
    return tuple(value for value in values if isinstance(value, str))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def _number(value: object, where: str, least: int) -> int:
    if type(value) is not int or not least <= value <= MAX_SEQUENCE_NUMBER + 1:
        raise _no_state(f"{where} is no sequence number")
    return value


def _no_state(message: str) -> OperatorError:
    return OperatorError(
        message,
        "--state takes the output of `jrc pledge show ID --json`, of as many as there are",
        exit_code=ExitCode.USAGE,
    )


def _unfit(message: str, hint: str) -> OperatorError:
    return OperatorError(message, hint)
