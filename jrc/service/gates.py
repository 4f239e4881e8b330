"""Join windows and approvals in the transaction of a join: look, list, count.

All of it happens in the transaction that gives the answer: a window never lets in one more than
it may, whatever else is asked meanwhile and whenever the process ends.
"""

from jrc.model import Admission, Event, Network
from jrc.policy import admission, windows
from jrc.policy.admission import Admittance, Gate
from jrc.policy.windows import JoinWindow
from jrc.service.join_ports import JoinTransaction, KnownContext, Standing

_PLEDGE = "pledge"
_JRC = "jrc"


def look(tx: JoinTransaction, known: KnownContext, network: Network, now_ms: int) -> Gate:
    """What becomes of a request to a network that does not admit everybody.

    A pledge that has to wait is listed, and a window that has run out is closed for good.

    Raises:
        StateError: a row does not authenticate.
    """
    if network.id in known.standing.admitted:
        return Gate.OPEN
    entry = tx.gates.admittance(known.pledge.id, network.id)
    gate = admission.gate(
        network.admission,
        was_admitted=entry is not None and entry.admitted_at_ms is not None,
        waits=entry is not None,
        window_is_open=network.admission is Admission.WINDOW and _is_open(tx, network, now_ms),
    )
    if gate is Gate.ASK:
        tx.gates.save_admittance(Admittance(known.pledge.id, network.id, now_ms, None))
        asker = known.pledge.identifier.value
        tx.record(Event("pledge.waiting", _PLEDGE, asker, network.name))
    return gate


def _is_open(tx: JoinTransaction, network: Network, now_ms: int) -> bool:
    window = tx.gates.window(network.id)
    if window is None:
        return False
    why = windows.ended(window, now_ms, tx.gates.seen_ms)
    if why is not None and window.closed_at_ms is None:
        window = windows.closed(window, window.until_ms)
        tx.gates.save_window(window)
        tx.record(window_closed(window, network.name, why.value))
    return why is None


def let_in(tx: JoinTransaction, known: KnownContext, network: Network, now_ms: int) -> None:
    """Count a pledge that an open window lets in; it comes in again without one."""
    before = tx.gates.admittance(known.pledge.id, network.id)
    tx.gates.save_admittance(
        Admittance(
            known.pledge.id,
            network.id,
            now_ms if before is None else before.asked_at_ms,
            now_ms,
            1 if before is None else before.version + 1,
        )
    )
    window = tx.gates.window(network.id)
    assert window is not None, "``look`` has seen it open"
    window = windows.let_in(window, now_ms)
    tx.gates.save_window(window)
    if window.closed_at_ms is not None:
        tx.record(window_closed(window, network.name, windows.Ended.COUNT.value))


def with_admission(standing: Standing, network: Network) -> Standing:
    """What a pledge has once it is known that the network has let it in."""
    if network.id in standing.admitted:
        return standing
    return standing._replace(admitted=(*standing.admitted, network.id))


def window_closed(
    window: JoinWindow, network: str, why: str, actor: str = _JRC, reason: str = ""
) -> Event:
    """The audit event of a window's end; ``why`` is a word of ``windows.Ended``, or another."""
    detail = {"why": why, "admitted": window.admitted, "max": window.max_pledges}
    return Event("window.closed", actor, None, network, reason, detail)
