"""Devices' public credentials: taken as they are printed, one in force for each device.

A device is known by its pledge identifier, whether or not it is enrolled. What takes the place of
a credential is another of the same device; none is ever deleted. One that two devices show is
refused: either two boards were mixed up, or their firmware has a key in it that all boards share.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from jrc.cojp.credential import Credential
from jrc.errors import ExitCode, OperatorError
from jrc.model import Event, PledgeId
from jrc.service.condition import require_open
from jrc.service.identity_store import IdentityRecord, Origin
from jrc.service.registry import Registry
from jrc.service.wording import Plan, utc_text

RECORDED: Final = "identity.recorded"
SUPERSEDED: Final = "identity.superseded"
MAX_PLACE_CHARACTERS: Final = 128
_CLOSED: Final = "no identity is recorded"


class Outcome(StrEnum):
    """What became of a credential."""

    NEW = "new"
    SAME = "same"
    SUPERSEDED = "superseded"
    """It took the place of another."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A credential that was read of a device; ``place`` says where, such as the name of a port."""

    identifier: PledgeId
    credential: Credential
    provenance: Origin
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What became of a sighting, and since when its credential is in force; the time in UTC.

    ``error`` and ``hint`` are of one that was refused.
    """

    pledge_id: str
    outcome: str
    thumbprint: str
    since: str | None
    error: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A device's credential that is in force no more; ``changed`` is False where none was."""

    pledge_id: str
    changed: bool


def checked_place(text: str) -> str:
    """Where a credential was read, as it is stored.

    Raises:
        ValueError: it is too long, or has characters that can't be shown.
    """
    if len(text) > MAX_PLACE_CHARACTERS or not text.isprintable():
        raise ValueError(f"must be up to {MAX_PLACE_CHARACTERS} printable characters")
    return text


def record(tx: Registry, seen: Sighting, *, actor: str, reason: str = "") -> Recorded:
    """Keep a credential; the same once more changes nothing.

    Raises:
        OperatorError: its key is in force for another device, or the database may not be used.
    """
    require_open(tx, _CLOSED)
    before = tx.identities.in_force([seen.identifier.value]).get(seen.identifier.value)
    if before is not None and not before.damaged and before.credential == seen.credential.value:
        return _recorded(seen, Outcome.SAME, before.recorded_at_ms)
    _make_room(tx, seen)
    outcome = Outcome.NEW
    if before is not None:
        outcome = Outcome.NEW if before.damaged else Outcome.SUPERSEDED
        _end(tx, before, actor, reason, {"by": seen.credential.thumbprint})
    tx.identities.add(
        IdentityRecord(
            identifier=seen.identifier.value,
            credential=seen.credential.value,
            thumbprint=seen.credential.thumbprint,
            provenance=seen.provenance,
            place=seen.place,
            recorded_at_ms=tx.now_ms,
        )
    )
    tx.record(Event(RECORDED, actor, seen.identifier.value, reason=reason, detail=_detail(seen)))
    return _recorded(seen, outcome, tx.now_ms)


def record_all(
    tx: Registry, sightings: Sequence[Sighting], *, actor: str, reason: str = ""
) -> list[Recorded]:
    """What became of each, in their order; one that is refused hinders none of the others.

    Raises:
        OperatorError: the database may not be used.
    """
    require_open(tx, _CLOSED)
    found = []
    for seen in sightings:
        try:
            found.append(record(tx, seen, actor=actor, reason=reason))
        except OperatorError as error:
            found.append(_refused(seen, error))
    return found


def _refused(seen: Sighting, error: OperatorError) -> Recorded:
    return Recorded(
        pledge_id=str(seen.identifier),
        outcome=Outcome.REFUSED.value,
        thumbprint=seen.credential.thumbprint.hex(),
        since=None,
        error=error.message,
        hint=error.hint,
    )


def plan_end(tx: Registry, identifier: PledgeId) -> Plan:
    """What ending a device's credential does."""
    if not _is_in_force(tx, identifier):
        return Plan((f"No identity of {identifier} is in force.",), (str(identifier),), 1)
    sentences = (
        f"The identity of {identifier} is in force no more: exports leave it out.",
        "It stays in its history, and another device may show its key.",
    )
    return Plan(sentences, (str(identifier),), 1, needs_consent=True)


def end(
    tx: Registry, identifier: PledgeId, *, actor: str, reason: str = "", agreed: bool = True
) -> Ended:
    """Let a device's credential be in force no more.

    Raises:
        OperatorError: the plan was not agreed to.
    """
    plan_end(tx, identifier).require(agreed)
    before = tx.identities.in_force([identifier.value]).get(identifier.value)
    if before is not None:
        _end(tx, before, actor, reason, {})
    return Ended(pledge_id=str(identifier), changed=before is not None)


def end_with(tx: Registry, identifier: PledgeId, cause: str, *, actor: str, reason: str) -> None:
    """End the credential of a device that goes; ``cause`` is the event that takes it away.

    Who has the device next may read its private key, as it may its others (row A5).
    """
    before = tx.identities.in_force([identifier.value]).get(identifier.value)
    if before is not None:
        _end(tx, before, actor, reason, {"cause": cause})


def identity_goes(tx: Registry, identifier: PledgeId) -> Sequence[str]:
    """The sentence in the plan of what calls ``end_with``."""
    if not _is_in_force(tx, identifier):
        return ()
    return ("Its public identity is in force no more; a new one is taken when it is seen again.",)


def _is_in_force(tx: Registry, identifier: PledgeId) -> bool:
    return bool(tx.identities.in_force([identifier.value]))


def _make_room(tx: Registry, seen: Sighting) -> None:
    """Nothing, if no other device shows this key; a row that was damaged says nothing of one."""
    holder = tx.identities.holders([seen.credential.thumbprint]).get(seen.credential.thumbprint)
    if holder is None or (holder.identifier == seen.identifier.value and not holder.damaged):
        return
    if holder.damaged:
        if holder.identifier != seen.identifier.value:
            tx.identities.supersede(holder)
        return
    other = PledgeId(holder.identifier)
    raise OperatorError(
        f"device {seen.identifier} shows the key of device {other}, where it is in force since"
        f" {utc_text(holder.recorded_at_ms)}",
        "two boards were mixed up, or their firmware has a fixed key in it; where"
        f" {other} has another key by now or is gone: `jrc identity remove {other}`",
        exit_code=ExitCode.REFUSED,
    )


def _end(
    tx: Registry, before: IdentityRecord, actor: str, reason: str, detail: dict[str, object]
) -> None:
    tx.identities.supersede(before)
    known = {"damaged": True} if before.damaged else {"thumbprint": before.thumbprint}
    event = Event(SUPERSEDED, actor, before.identifier, reason=reason, detail={**known, **detail})
    tx.record(event)


def _detail(seen: Sighting) -> dict[str, object]:
    return {
        "thumbprint": seen.credential.thumbprint,
        "curve": seen.credential.curve,
        "provenance": seen.provenance.value,
        "where": seen.place,
    }


def _recorded(seen: Sighting, outcome: Outcome, since_ms: int) -> Recorded:
    return Recorded(
        pledge_id=str(seen.identifier),
        outcome=outcome.value,
        thumbprint=seen.credential.thumbprint.hex(),
        since=utc_text(since_ms),
    )
