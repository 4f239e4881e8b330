"""Reading the audit log, and proving that nothing of it was changed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jrc.errors import ExitCode, OperatorError
from jrc.model import PledgeId
from jrc.policy.rollover import Phase
from jrc.service.examine import Outcome
from jrc.service.network_reports import find_network
from jrc.service.records import StoredEvent
from jrc.service.registry import Registry
from jrc.service.wording import counted, listed, nearest, utc_text

PAGE = 500
_WORDS: Mapping[str, Iterable[str]] = {
    "border_router": ("same_keys",),
    "import": ("published",),
    "installer": ("failed", "installed"),
    "key_generation": ("created", "taken_over"),
    "network": ("added", "changed", "removed"),
    "node": ("changed", "configured", "pushed", "refused", "rekeyed", "throttled"),
    "pledge": (
        *(each.value for each in Outcome if each not in (Outcome.SKIPPED, Outcome.UNCHANGED)),
        *("address_changed", "approved", "joined", "removed", "reported", "reports_cleared"),
        *("restored", "revoked", "waiting"),
    ),
    "rollover": ("resumed", "started", *(each.value for each in Phase)),
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainReport:
    """Whether the chain of hashes holds; ``broken_at`` is the first entry that does not fit."""

    intact: bool
    count: int
    broken_at: int | None
    sentence: str


def list_events(
    tx: Registry,
    *,
    after: int = 0,
    limit: int = PAGE,
    newest: bool = False,
    kind: str | None = None,
    pledge: PledgeId | None = None,
    network: str | None = None,
) -> list[EventReport]:
    """One page in ascending order, after a number; ``newest`` gives the last ones instead."""
    entries = tx.events.page(
        after=after,
        limit=limit,
        newest=newest,
        kind=kind,
        pledge=None if pledge is None else pledge.value,
        network=network,
    )
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
    if network is not None and not list_events(tx, limit=1, network=network):
        find_network(tx, network)


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


def verify_chain(tx: Registry) -> ChainReport:
    """Whether every entry is there as it was written, in order.

    Raises:
        StateError: the row with the head of the chain does not authenticate.
    """
    count, broken = tx.events.count(), tx.events.first_broken()
    if broken is None:
        sentence = f"{counted(count, 'event')}, each as it was written."
    else:
        sentence = f"Event {broken} was changed, removed or added: the log can't be trusted."
    return ChainReport(intact=broken is None, count=count, broken_at=broken, sentence=sentence)
