"""What becomes of windows and approvals when a network admits otherwise, or is no more."""

from jrc.model import Admission, Network
from jrc.policy import windows
from jrc.policy.windows import Ended, JoinWindow
from jrc.service.gates import window_closed
from jrc.service.registry import Registry


def admits_otherwise(
    tx: Registry, before: Network, wanted: Network, *, actor: str, reason: str = ""
) -> None:
    """Who has joined stays let in, nobody waits in vain, a window that says nothing is closed."""
    if before.admission is wanted.admission:
        return
    if before.admission is Admission.KNOWN:
        tx.admissions.admit_joined(before.id)
    if before.admission is Admission.APPROVAL:
        tx.admissions.forget_network(before.id, waiting_only=True)
    _leave_window(tx, before, actor, reason)


def admits_no_more(tx: Registry, network: Network, *, actor: str, reason: str = "") -> None:
    """The network is removed."""
    tx.admissions.forget_network(network.id)
    _leave_window(tx, network, actor, reason)


def _leave_window(tx: Registry, network: Network, actor: str, reason: str) -> None:
    window = window_of(tx, network)
    if window is not None:
        end_window(tx, window, network.name, Ended.CLOSED.value, tx.now_ms, actor, reason)


def window_of(tx: Registry, network: Network) -> JoinWindow | None:
    """The window of a network that was not closed; its time may have run out."""
    found = (each for each in tx.windows.not_closed() if each.network_id == network.id)
    return next(found, None)


def end_window(
    tx: Registry,
    window: JoinWindow,
    network: str,
    why: str,
    at_ms: int,
    actor: str = "jrc",
    reason: str = "",
) -> JoinWindow:
    """Close a window for good; ``why`` is told in the audit log."""
    after = windows.closed(window, at_ms)
    tx.windows.save(after)
    tx.record(window_closed(after, network, why, actor, reason))
    tx.policy_changed()
    return after
