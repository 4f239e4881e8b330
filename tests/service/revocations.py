"""Revocations of pledges that have joined, and the rollovers that come of them, moved by hand."""

from collections.abc import Callable
from typing import Any

from jrc.policy.rollover import NodeState, Phase
from jrc.service.registry import Registry
from jrc.service.revoking import Restored, Revoked, plan_revocation, restore_pledge, revoke_pledges
from jrc.service.rollover import advance, resume_rollover, start_rollover
from jrc.service.rollover_records import RolloverRecord
from tests.daemon.wire import OddPledge
from tests.desk import ACTOR, pledge_id
from tests.joining import Hall

JOIN_AS_6LBR = bytes.fromhex("a201010542cafe")


def joined(hall: Hall, *numbers: int, **more: Any) -> list[OddPledge]:
    """6LNs that have joined."""
    pledges = [hall.enroll(number, **more) for number in numbers]
    for pledge in pledges:
        hall.join(pledge)
    return pledges


def border_router(hall: Hall, number: int = 9) -> OddPledge:
    pledge = hall.enroll(number, role=1)
    hall.join(pledge, JOIN_AS_6LBR)
    return pledge


def revoke(hall: Hall, *numbers: int, **more: Any) -> Revoked:
    names = [pledge_id(number) for number in numbers]
    return hall.desk.write(lambda tx: revoke_pledges(tx, names, actor=ACTOR, **more))


def restore(hall: Hall, number: int) -> Restored:
    return hall.desk.write(lambda tx: restore_pledge(tx, pledge_id(number), actor=ACTOR))


def plan(hall: Hall, *numbers: int, **more: Any) -> str:
    names = [pledge_id(number) for number in numbers]
    return " ".join(hall.desk.read(lambda tx: plan_revocation(tx, names, **more)).sentences)


def start(hall: Hall, name: str = "lab") -> None:
    hall.desk.write(lambda tx: start_rollover(tx, name, actor=ACTOR))


def on(hall: Hall, use_case: Callable[..., object], name: str = "lab", **more: Any) -> None:
    hall.desk.write(lambda tx: use_case(tx, name, actor=ACTOR, **more))


def running(hall: Hall) -> RolloverRecord:
    found = hall.desk.read(lambda tx: tx.rollovers.running(1))
    assert found is not None
    return found


def rollovers(hall: Hall) -> list[tuple[str, str]]:
    """Phase and cause of all there were in domain 1, the newest first."""
    found = hall.desk.read(lambda tx: tx.rollovers.latest(1, 9))
    return [(record.phase.value, record.cause.value) for record in found]


def states(hall: Hall) -> dict[int, NodeState]:
    """Nodes of the newest rollover by number of the pledge's identifier."""

    def work(tx: Registry) -> dict[int, NodeState]:
        record = tx.rollovers.latest(1)[0]
        nodes = tx.rollovers.nodes(record.id)
        names = tx.rollovers.identifiers([node.pledge_id for node in nodes])
        return {names[node.pledge_id][-1]: node.state for node in nodes}

    return hall.desk.read(work)


def note(hall: Hall, state: NodeState, *numbers: int) -> None:
    """Nodes were told, and some have answered, as the telling writes it down."""

    def work(tx: Registry) -> None:
        records = tx.pledges.find([pledge_id(number).value for number in numbers])
        found = tx.rollovers.find(running_id, [each.id for each in records.values()])
        told = [each._replace(state=state, sent_at_ms=tx.now_ms) for each in found.values()]
        tx.rollovers.save_nodes(told)

    running_id = running(hall).id
    hall.desk.write(work)


def go_on(hall: Hall, *, guard_over: bool = False) -> Phase:
    number = running(hall).id
    return hall.desk.write(lambda tx: advance(tx, number, guard_over=guard_over)).phase


def finish(hall: Hall, *numbers: int) -> None:
    """A rollover to its end, these being reached, whatever becomes of 6LBRs."""
    note(hall, NodeState.REACHED, *numbers)
    if go_on(hall) is Phase.SWITCHING:
        on(hall, resume_rollover, anyway=True)
    assert go_on(hall, guard_over=True) is Phase.DONE


def generations(hall: Hall) -> list[str]:
    found = hall.desk.read(lambda tx: tx.keysets.generations(1))
    return [each.state.value for each in found]


def outcomes(done: Revoked) -> list[str]:
    return [each.outcome for each in done.rollovers]
