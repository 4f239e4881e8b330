"""Reading the audit log."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from jrc.errors import ExitCode, OperatorError
from jrc.model import PledgeId
from jrc.policy.rollover import Phase
from jrc.service.examine import Outcome
from jrc.service.network_reports import find_network
from jrc.service.records import StoredEvent, Wanted
from jrc.service.registry import Registry
from jrc.service.windows import parse_duration
from jrc.service.wording import listed, nearest, utc_text

PAGE = 500
_WORDS: Mapping[str, Iterable[str]] = {
    "backup": ("begun", "failed", "made"),
    "border_router": ("same_keys",),
    "database": (
        *("copy_accepted", "moved", "quarantined", "recovered", "restored", "rows_accepted"),
        *("server_accepted", "upgraded"),
    ),
    "events": ("removed",),
    "handover": ("opened",),
    "identity": ("recorded", "superseded"),
    "import": ("published", "overtaken"),
    "installer": ("failed", "installed"),
    "key_generation": ("created", "taken_over"),
    "keys": (
        *("data_rotated", "data_rotation_begun", "rotated"),
        *("slot_added", "slot_removed", "slot_restored"),
    ),
    "network": ("added", "changed", "removed"),
    "node": ("changed", "configured", "pushed", "refused", "rekeyed", "throttled"),
    "pledge": (
        *(each.value for each in Outcome if each not in (Outcome.SKIPPED, Outcome.UNCHANGED)),
        *("address_changed", "approved", "joined", "lost", "recovered", "recovering", "removed"),
        *("key_changed", "reported", "reports_cleared", "restored", "revoked", "superseded"),
        *("transferred", "waiting", "withdrawn"),
    ),
    "rollover": ("resumed", "started", *(each.value for each in Phase)),
    "token": ("added", "revoked"),
    "window": ("closed", "opened"),
}
KINDS = frozenset(f"{of}.{word}" for of, words in _WORDS.items() for word in words)
"""What the audit log has, or may have one day; older entries may be of other kinds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventReport:
    """An entry of the audit log; ``at`` in UTC, ``pledge`` in hex."""

    number: int
    at: str
    kind: str
    pledge: str | None
    network: str | None
    actor: str
    reason: str
    detail: Mapping[str, object]


def list_events(
    tx: Registry,
    *,
    after: int = 0,
    limit: int = PAGE,
    newest: bool = False,
    kind: str | None = None,
    pledge: PledgeId | None = None,
    network: str | None = None,
    since_ms: int | None = None,
    until_ms: int | None = None,
) -> list[EventReport]:
    """One page in ascending order, after a number; ``newest`` gives the last ones instead.

    ``since_ms`` and ``until_ms`` are times in ms since 1970; the second is not included.
    """
    wanted = Wanted(kind, None if pledge is None else pledge.value, network, since_ms, until_ms)
    return events_of(tx, wanted, after=after, limit=limit, newest=newest)


def events_of(
    tx: Registry, wanted: Wanted, *, after: int = 0, limit: int = PAGE, newest: bool = False
) -> list[EventReport]:
    """As ``list_events``."""
    entries = tx.events.page(wanted, after=after, limit=limit, newest=newest)
    return [event_report(entry) for entry in entries]


def check_known(tx: Registry, *, kind: str | None, network: str | None) -> None:
    """That there can be events of this kind, and of this network, which may be gone.

    Raises:
        OperatorError: there can't; says what there is.
    """
    if kind is not None and kind not in KINDS and not list_events(tx, limit=1, kind=kind):
        of = kind.partition(".")[0]
        words = _WORDS.get(of)
        named = words and listed(sorted(f"{of}.{word}" for word in words))
        raise OperatorError(
            f"no event is of the kind {kind[:64]!r}{nearest(kind, KINDS)}",
            f"there are {named or listed(f'{of}.*' for of in _WORDS)}",
            exit_code=ExitCode.USAGE,
        )
    if network is not None:
        _check_network(tx, network)


def _check_network(tx: Registry, network: str) -> None:
    """That it is there, or was: the log is looked through for one that is not there alone."""
    try:
        find_network(tx, network)
    except OperatorError:
        if not list_events(tx, limit=1, network=network):
            raise


def moment_ms(text: str, now_ms: int) -> int:
    """The time in ms since 1970 that ``2h`` (ago), ``2026-11-30`` or ``2026-11-30T08:15`` say.

    A time without a zone is in UTC, as the audit log shows it.

    Raises:
        ValueError: it is written otherwise.
    """
    try:
        return now_ms - 1000 * parse_duration(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(
            f"{text[:64]!r} is no time such as 2026-11-30T08:15, 2026-11-30, or 2h (ago)"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def event_report(entry: StoredEvent) -> EventReport:
    """An entry as people and programs read it."""
    return EventReport(
        number=entry.number,
        at=utc_text(entry.at_ms) or "",
        kind=entry.kind,
        pledge=None if entry.pledge is None else entry.pledge.hex(),
        network=entry.network,
        actor=entry.actor,
        reason=entry.reason,
        detail=entry.detail,
    )
