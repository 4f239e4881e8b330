"""The operator's hand on join windows: open, close, list (RFC 9031 §8.4.1)."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from jrc.errors import ExitCode, OperatorError
from jrc.model import Admission, Event, Network
from jrc.policy import windows
from jrc.policy.windows import MAX_PLEDGES, MAX_WINDOW_S, Ended, JoinWindow
from jrc.service.admitting import end_window, window_of
from jrc.service.condition import is_open, require_open
from jrc.service.network_reports import find_network
from jrc.service.network_settings import refused
from jrc.service.node_settings import settings_changed
from jrc.service.registry import Registry
from jrc.service.wording import utc_text

SHOWN_WINDOWS = 50
"""How many windows that are over a listing shows."""

_OPEN = "open"
_REPLACED = "replaced"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"([0-9]{1,7}) *([smhd])")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenWindow:
    """A window to open: for how long and for how many; ``replace`` ends one that is open."""

    network: str
    for_s: int
    max_pledges: int
    replace: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowReport:
    """A window as listings show it; times in UTC.

    ``state`` is open, or why it is over: closed, time or count.
    """

    network: str
    state: str
    opened: str | None
    until: str | None
    left_s: int
    max: int
    admitted: int
    closed: str | None


def parse_duration(text: str) -> int:
    """The seconds that ``90s``, ``10m``, ``2h`` or ``1d`` say.

    Raises:
        ValueError: it is written otherwise.
    """
    found = _DURATION.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError(f"{text[:64]!r} is no duration such as 90s, 10m, 2h or 1d")
    return int(found[1]) * _UNITS[found[2]]


def open_window(tx: Registry, command: OpenWindow, *, actor: str, reason: str = "") -> WindowReport:
    """Let pledges in that have not joined the network yet, from now on.

    Raises:
        OperatorError: the network admits otherwise, or has an open window; a limit is refused.
    """
    network = find_network(tx, command.network)
    require_open(tx, "no join window opens")
    _check(network, command)
    before = window_of(tx, network)
    if before is not None:
        _make_room(tx, before, command, actor, reason)
    window = tx.windows.add(
        JoinWindow(
            id=0,
            network_id=network.id,
            opened_at_ms=tx.now_ms,
            until_ms=tx.now_ms + 1000 * command.for_s,
            max_pledges=command.max_pledges,
            seen_before_ms=tx.windows.seen_ms,
        )
    )
    detail = {"until": utc_text(window.until_ms), "max": window.max_pledges}
    tx.record(Event("window.opened", actor, None, network.name, reason, detail))
    settings_changed(tx, network.id)
    tx.policy_changed()
    return _report(tx, window, network.name)


def _check(network: Network, command: OpenWindow) -> None:
    if network.admission is not Admission.WINDOW:
        raise refused(
            f"network {network.name} admits by {network.admission.value}, and has no windows",
            f"`jrc network set {network.name} --admission window` makes it admit in windows alone",
        )
    if not 1 <= command.for_s <= MAX_WINDOW_S:
        raise _out_of_bounds(
            f"for: a window lasts 1 s to {MAX_WINDOW_S // 86_400} days",
            "write it as --for 90s, 10m, 2h or 1d",
        )
    if not 1 <= command.max_pledges <= MAX_PLEDGES:
        raise _out_of_bounds(
            f"max: a window lets 1 to {MAX_PLEDGES} pledges in",
            "say how many new ones may come: --max 20",
        )


def _out_of_bounds(message: str, hint: str) -> OperatorError:
    return OperatorError(message, hint, exit_code=ExitCode.USAGE)


def _make_room(
    tx: Registry, before: JoinWindow, command: OpenWindow, actor: str, reason: str
) -> None:
    """End the window before: by itself where it is over, else only if it is to be replaced."""
    why = windows.ended(before, tx.now_ms, tx.windows.seen_ms)
    if why is None and not command.replace:
        raise refused(
            f"network {command.network} has a window open until {utc_text(before.until_ms)},"
            f" which has let {before.admitted} of {before.max_pledges} in",
            "--replace ends it and opens a new one, which counts from 0",
        )
    if why is None:
        end_window(tx, before, command.network, _REPLACED, tx.now_ms, actor, reason)
    else:
        end_window(tx, before, command.network, why.value, before.until_ms)


def close_window(tx: Registry, name: str, *, actor: str, reason: str = "") -> WindowReport:
    """End the open window of a network; who has come in stays.

    Raises:
        OperatorError: there is no such network, or it has no window open.
    """
    network = find_network(tx, name)
    window = window_of(tx, network)
    if window is None or windows.ended(window, tx.now_ms, tx.windows.seen_ms) is not None:
        raise refused(f"network {name} has no open window", "`jrc window list --all` shows them")
    after = end_window(tx, window, name, Ended.CLOSED.value, tx.now_ms, actor, reason)
    settings_changed(tx, network.id)
    return _report(tx, after, name)


def end_windows(tx: Registry, numbers: Collection[int]) -> None:
    """End windows whose time has run out, as the daemon has measured it; others are left."""
    names = _names(tx)
    for window in tx.windows.not_closed():
        if window.id in numbers:
            name = names.get(window.network_id, "")
            end_window(tx, window, name, Ended.TIME.value, window.until_ms)
            settings_changed(tx, window.network_id)


def list_windows(tx: Registry, *, with_past: bool = False) -> list[WindowReport]:
    """The open windows, newest first; ``with_past`` the last ones that are over as well."""
    found = tx.windows.newest(SHOWN_WINDOWS) if with_past else tx.windows.not_closed()
    names = _names(tx)
    reports = [_report(tx, window, names.get(window.network_id, "")) for window in found]
    return [report for report in reports if with_past or report.state == _OPEN]


def time_left_ms(tx: Registry) -> Mapping[int, int]:
    """How long each window that was not closed has still to go, in ms, by its number.

    None of a database that is not open: it lets nobody in, and a recovery closes them.
    """
    if not is_open(tx):
        return {}
    seen_ms = tx.windows.seen_ms
    return {
        window.id: max(0, window.until_ms - windows.clock_of(window, tx.now_ms, seen_ms))
        for window in tx.windows.not_closed()
    }


def _names(tx: Registry) -> dict[int, str]:
    return {network.id: network.name for network in tx.networks.all().values()}


def _report(tx: Registry, window: JoinWindow, network: str) -> WindowReport:
    seen_ms = tx.windows.seen_ms
    why = windows.ended(window, tx.now_ms, seen_ms)
    left_ms = window.until_ms - windows.clock_of(window, tx.now_ms, seen_ms)
    return WindowReport(
        network=network,
        state=_OPEN if why is None else why.value,
        opened=utc_text(window.opened_at_ms),
        until=utc_text(window.until_ms),
        left_s=left_ms // 1000 if why is None else 0,
        max=window.max_pledges,
        admitted=window.admitted,
        closed=utc_text(window.closed_at_ms),
    )
