"""Revoking: who hears nothing any more, what is said, and what is held back."""

import pytest

from jrc.errors import ExitCode, OperatorError
from jrc.model import Profile
from jrc.policy.rollover import NodeState, Phase
from jrc.service.enroll import remove_pledge
from jrc.service.events import list_events
from jrc.service.key_notices import key_notices
from jrc.service.pledges import list_pledges
from jrc.service.registry import Registry
from jrc.service.rollover_records import RolloverSettings
from tests.desk import pledge_id
from tests.joining import Hall, ciphertext
from tests.service.revocations import (
    JOIN_AS_6LBR,
    border_router,
    finish,
    generations,
    go_on,
    joined,
    note,
    outcomes,
    plan,
    restore,
    revoke,
    rollovers,
    start,
    states,
)

# Answers stop


def test_k09_a_revoked_pledge_gets_no_answer_and_no_copy_of_one(hall: Hall) -> None:
    """RFC 9031 §8.4.2: neither to a new request nor to the last one, whatever the cache says."""
    pledge = hall.enroll()
    request = pledge.request(bytes.fromhex("a10542cafe"))
    answer = hall.ask(request)
    assert answer is not None
    hall.desk.now_ms += 2000
    copy = hall.ask(request)
    assert copy is not None
    assert ciphertext(copy) == ciphertext(answer)
    revoke(hall, 1)
    hall.desk.now_ms += 2000
    assert hall.ask(request) is None
    assert hall.ask(pledge.request(bytes.fromhex("a10542cafe"))) is None


def test_k09_the_stored_answer_is_dead_even_if_the_pledge_is_restored(hall: Hall) -> None:
    """A copy of the request from before the revocation gets nothing; a new request does."""
    pledge = hall.enroll()
    request = pledge.request(bytes.fromhex("a10542cafe"))
    assert hall.ask(request) is not None
    revoke(hall, 1, rekey=False)
    assert restore(hall, 1).must_join is False
    hall.contexts.forget_all()
    hall.desk.now_ms += 2000
    assert hall.ask(request) is None
    hall.join(pledge)


def test_revoking_needs_agreement_and_names_all(hall: Hall) -> None:
    """Nothing is changed without it."""
    joined(hall, 1, 2)
    with pytest.raises(OperatorError, match="2 pledges get no more answers") as refusal:
        revoke(hall, 1, 2, agreed=False)
    assert refusal.value.exit_code == ExitCode.REFUSED
    assert rollovers(hall) == []
    assert {each.state for each in hall.desk.read(list_pledges)} == {"joined"}


def test_an_unknown_pledge_among_many_stops_all(hall: Hall) -> None:
    """One transaction: all or none."""
    joined(hall, 1)
    with pytest.raises(OperatorError, match="00124b0000000007 is unknown"):
        revoke(hall, 1, 7)
    assert hall.desk.read(list_pledges)[0].state == "joined"


def test_revoking_twice_changes_nothing_more(hall: Hall) -> None:
    """It is idempotent, also within one command: there is one rollover and one event."""
    joined(hall, 1, 2)
    done = revoke(hall, 1, 1)
    assert [each.changed for each in done.pledges] == [True]
    again = revoke(hall, 1)
    assert ([each.changed for each in again.pledges], again.rollovers) == ([False], ())
    assert len(rollovers(hall)) == 1
    kinds = [entry.kind for entry in hall.desk.read(list_events)]
    assert kinds.count("pledge.revoked") == 1
    assert plan(hall, 1) == "Pledge 00124b0000000001 is revoked already."


def test_too_many_at_once_are_refused(hall: Hall) -> None:
    """Joins wait for the transaction."""
    with pytest.raises(OperatorError, match="1001 pledges are more than the 1000"):
        revoke(hall, *range(1001))


def test_without_new_keys_it_is_told_loudly(hall: Hall) -> None:
    """`--no-rollover` is the operator's own risk."""
    joined(hall, 1, 2)
    assert "WITHOUT NEW KEYS" in plan(hall, 1, rekey=False)
    done = revoke(hall, 1, rekey=False)
    assert (outcomes(done), rollovers(hall)) == (["omitted"], [])
    assert "ARE NOT CHANGED" in done.said[0]


def test_the_plan_names_nodes_that_must_join_again_and_the_time(hall: Hall) -> None:
    """Before a yes: whom it reaches, whom it can't, when the device is out."""
    joined(hall, 1, 2, 3)
    joined(hall, 4, profile=Profile.OPENWSN)
    border_router(hall)
    told = plan(hall, 1, settings=RolloverSettings(deadline_s=1800))
    assert "2 6LNs, then 1 6LBR, are told by update" in told
    assert "1 node of profile openwsn can't be told new keys" in told
    assert "after 30 min it pauses and asks" in told


# A 6LBR


def test_revoking_the_border_router_says_what_the_network_loses(hall: Hall) -> None:
    """RFC 9031 §8.4.3.2: 6LNs wait for new keys that nobody sends with, so the old ones stay."""
    joined(hall, 1)
    border_router(hall)
    told = plan(hall, 9)
    assert "00124b0000000009 IS THE BORDER ROUTER (6LBR) of network lab" in told
    assert "Nothing here changes the keys of a 6LBR of network lab" in told
    assert outcomes(revoke(hall, 9)) == ["started"]
    assert states(hall) == {1: NodeState.PENDING}
    note(hall, NodeState.REACHED, 1)
    assert go_on(hall) is Phase.SWITCHING
    assert generations(hall) == ["previous", "current"]
    notices = hall.desk.read(key_notices)
    assert [each.wants_operator for each in notices] == [True]
    assert "network lab has no 6LBR" in notices[0].sentence
    assert "--anyway" in notices[0].what_to_do


# Short identifiers


def test_f03_a_revoked_pledges_short_identifier_is_held_back_until_its_keys_are_retired(
    hall: Hall,
) -> None:
    """RFC 9031 §8.4.4.1: nobody else has it under keys that the device may have."""
    value = hall.short_id(hall.enroll(1))
    joined(hall, 2)
    assert used(hall) == 2
    revoke(hall, 1)
    assert used(hall) == 2
    assert hall.desk.read(list_pledges)[0].short_id is None
    finish(hall, 2)
    assert used(hall) == 1
    (row,) = hall.desk.sql(f"SELECT last_generation FROM short_identifier WHERE value = {value}")
    assert row == (1,)


def used(hall: Hall) -> int:
    def work(tx: Registry) -> int:
        live = tx.keysets.live(1)
        return tx.leases.used(1, live[0].generation)

    return hall.desk.read(work)


# The blocklist


def test_g01_a_full_blocklist_is_said(hall: Hall) -> None:
    """RFC 9031 §8.4.2: the oldest are left out, and the command says so."""
    for number in range(65):
        hall.desk.pledge(number)
    numbers = range(65)
    assert revoke(hall, *numbers[:8]).said == ()
    (sentence,) = revoke(hall, *numbers[8:64]).said
    assert "is full: its nodes hear of the 8 that were revoked last, its 6LBRs of 64;" in sentence
    (sentence,) = revoke(hall, *numbers[64:]).said
    assert "its 6LBRs of 64;" in sentence


def test_g01_the_next_6lbr_is_told_of_who_never_joined_as_well(hall: Hall) -> None:
    """What joins are decided by is read anew, whether keys change or not (RFC 9031 §8.4.2)."""
    border, _ = hall.enroll(9, role=1), hall.enroll(1)
    assert hall.join(border, JOIN_AS_6LBR).blocklist == ()
    revoke(hall, 1)
    assert hall.join(border, JOIN_AS_6LBR).blocklist == (pledge_id(1).value,)


# Leaving otherwise


def test_one_that_is_removed_leaves_a_running_rollover(hall: Hall) -> None:
    """It is told nothing more, and nobody waits for it."""
    joined(hall, 1, 2)
    start(hall)
    hall.act(remove_pledge, 1)
    assert states(hall) == {1: NodeState.LEFT, 2: NodeState.PENDING}
