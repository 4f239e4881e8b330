"""Sealed files that were opened: each once (docs/handover.md).

A file is known by the key that signed it and by its serial. That it was opened is written in the
transaction that makes its devices known, so that whatever ends an import it is one or the other.
Nothing is ever deleted here: a builder's serials must not come again.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from jrc.errors import ExitCode, OperatorError
from jrc.model import Event
from jrc.service.handover_store import HandoverRecord
from jrc.service.registry import Registry
from jrc.service.wording import utc_text

KEY_ID_BYTES: Final = 16
DIGEST_BYTES: Final = 32
SERIAL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
MAX_TIME_MS: Final = 253_402_300_799_000
"""The last second that has a date of four digits."""
_GROUP: Final = 4


class Handover(NamedTuple):
    """What an import is told of the sealed file that its rows come from.

    ``builder`` is the identifier of the key that signed it, ``digest`` its SHA-256. ``takes_over``:
    it may change pledges whose keys came otherwise than from this builder.
    """

    builder: bytes
    serial: str
    digest: bytes
    expires_at_ms: int
    takes_over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverReport:
    """A sealed file that was opened; times in UTC, ``builder`` as people compare it."""

    number: int
    builder: str
    serial: str
    rows: int
    opened: str | None
    expires: str | None
    actor: str
    sha256: str


def fingerprint_text(key_id: bytes) -> str:
    """A key's identifier as people compare it: groups of four hex digits."""
    digits = key_id.hex()
    return "-".join(digits[at : at + _GROUP] for at in range(0, len(digits), _GROUP))


def check_unopened(tx: Registry, handover: Handover) -> None:
    """Nothing, if the file may be opened.

    Raises:
        OperatorError: it was opened before, another file with its serial was, or it has expired.
        StateError: the row that says so does not authenticate.
    """
    before = tx.handovers.find(handover.builder, handover.serial)
    if before is not None:
        raise _opened_before(before, handover)
    if tx.now_ms >= handover.expires_at_ms:
        raise OperatorError(
            f"the sealed file expired at {utc_text(handover.expires_at_ms)}; the registrar's clock"
            f" says {utc_text(tx.now_ms)}",
            "have it sealed anew; if the registrar's clock is wrong, set it (docs/clock.md)",
            exit_code=ExitCode.REFUSED,
        )


def _opened_before(before: HandoverRecord, handover: Handover) -> OperatorError:
    whose = f"of the builder {fingerprint_text(handover.builder)}"
    when = f"was opened at {utc_text(before.opened_at_ms)} by {before.actor}"
    if before.digest == handover.digest:
        return OperatorError(
            f"the sealed file {handover.serial} {whose} {when}, and is opened once",
            "what was taken of it is there (`jrc pledge list`); for more, have a new file sealed",
            exit_code=ExitCode.REFUSED,
        )
    return OperatorError(
        f"another sealed file {whose} with the serial {handover.serial} {when}",
        "have it sealed anew, with another --serial or without one",
        exit_code=ExitCode.REFUSED,
    )


def mark_opened(
    tx: Registry, handover: Handover, *, import_id: int, rows: int, actor: str, reason: str
) -> None:
    """Write down that the file was opened, in the transaction that makes its devices known.

    Raises:
        OperatorError: somebody else has opened it meanwhile.
        StateError: the row that says so does not authenticate.
    """
    before = tx.handovers.find(handover.builder, handover.serial)
    if before is not None:
        raise _opened_before(before, handover)
    tx.handovers.add(
        HandoverRecord(
            0,
            handover.builder,
            handover.serial,
            handover.digest,
            import_id,
            rows,
            handover.expires_at_ms,
            tx.now_ms,
            actor,
        )
    )
    detail = {
        "builder": fingerprint_text(handover.builder),
        "serial": handover.serial,
        "rows": rows,
        "import": import_id,
        "sha256": handover.digest.hex(),
        "take_over": handover.takes_over,
    }
    tx.record(Event("handover.opened", actor, reason=reason, detail=detail))


def list_handovers(tx: Registry, *, after: int, limit: int) -> Sequence[HandoverReport]:
    """The files that were opened, oldest first.

    Raises:
        StateError: a row does not authenticate.
    """
    return [_report(each) for each in tx.handovers.page(after=after, limit=limit)]


def _report(record: HandoverRecord) -> HandoverReport:
    return HandoverReport(
        number=record.id,
        builder=fingerprint_text(record.builder),
        serial=record.serial,
        rows=record.row_count,
        opened=utc_text(record.opened_at_ms),
        expires=utc_text(record.expires_at_ms),
        actor=record.actor,
        sha256=record.digest.hex(),
    )
