"""Revoked pledges that are restored."""

import pytest

from jrc.model import Admission
from jrc.policy.rollover import NodeState
from jrc.service.events import list_events
from jrc.service.networks import NetworkChanges, set_network
from jrc.service.pledges import list_pledges
from tests.desk import ACTOR, pledge_id
from tests.joining import Hall
from tests.service.revocations import finish, joined, restore, revoke, states


def test_m03_one_restored_with_its_keys_in_force_is_the_node_that_it_was(hall: Hall) -> None:
    """State, window, place and short identifier are those from before (RFC 8613 §7.5)."""
    value = hall.short_id(hall.enroll(1))
    window = hall.desk.sql("SELECT highest, seen FROM context_state")
    revoke(hall, 1, rekey=False)
    done = restore(hall, 1)
    assert (done.state, done.must_join, done.changed) == ("joined", False, True)
    assert hall.desk.sql("SELECT highest, seen FROM context_state") == window
    assert hall.desk.read(list_pledges)[0].short_id == f"{value:04x}"
    kinds = [
        entry.kind for entry in hall.desk.read(lambda tx: list_events(tx, pledge=pledge_id(1)))
    ]
    assert kinds == ["pledge.added", "pledge.joined", "pledge.revoked", "pledge.restored"]


@pytest.mark.parametrize("is_done", [False, True])
def test_m03_one_restored_after_its_keys_were_changed_has_to_join_again(
    hall: Hall, is_done: bool
) -> None:
    """Nobody gets retired keys back; it goes on with its window and its short identifier."""
    pledge = hall.enroll(1)
    value = hall.short_id(pledge)
    joined(hall, 2)
    revoke(hall, 1)
    if is_done:
        finish(hall, 2)
    done = restore(hall, 1)
    assert (done.state, done.must_join) == ("provisioned", True)
    assert "has to join again" in done.said[0]
    hall.contexts.forget_all()
    assert hall.short_id(pledge) == value
    if not is_done:
        assert states(hall)[1] is NodeState.PENDING


@pytest.mark.parametrize("admission", [Admission.APPROVAL, Admission.WINDOW])
def test_m03_who_restores_one_is_told_how_it_is_admitted_anew(
    hall: Hall, admission: Admission
) -> None:
    """A revocation ends the approval, and the right to come back outside of windows."""
    hall.join(hall.enroll(1))
    changes = NetworkChanges(admission=admission)
    hall.desk.write(lambda tx: set_network(tx, "lab", changes, actor=ACTOR, agreed=True))
    revoke(hall, 1)
    said = restore(hall, 1).said
    assert "has to join again" in said[0]
    commands = {
        Admission.APPROVAL: f"jrc pledge approve {pledge_id(1)}",
        Admission.WINDOW: "jrc window open lab",
    }
    assert [commands[admission] in sentence for sentence in said] == [False, True]


def test_restoring_one_that_is_not_revoked_changes_nothing(hall: Hall) -> None:
    """Both are idempotent, and the first state is what comes back."""
    hall.enroll(1)
    assert restore(hall, 1).changed is False
    revoke(hall, 1)
    assert (restore(hall, 1).state, restore(hall, 1).changed) == ("provisioned", False)
