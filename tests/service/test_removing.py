"""Pledges that are removed, and what plans say before."""

import pytest

from jrc.errors import OperatorError
from jrc.model import PledgeId
from jrc.service.enroll import plan_removal, remove_pledge
from jrc.service.pledges import list_pledges
from jrc.service.registry import Registry
from jrc.service.revoking import plan_revocation, revoke_pledge
from jrc.service.wording import Plan
from tests.desk import ACTOR, Desk, pledge_id
from tests.joining import hall_at
from tests.service.enrolling import KEY, OTHER_KEY, act, add, derived, join, usable


def test_m03_a_removed_psk_can_not_come_back(lab: Desk) -> None:
    """Neither with its pledge nor with another; a new key may (RFC 8613 §7.5)."""
    add(lab, 1, KEY)
    join(lab)
    act(lab, remove_pledge, 1)
    assert usable(lab, pledge_id(1)) == []
    assert lab.read(list_pledges) == []
    for number in (1, 2):
        with pytest.raises(OperatorError, match="which was removed: it can't come back"):
            add(lab, number, KEY)
        with pytest.raises(OperatorError, match="which was removed: it can't come back"):
            add(lab, number, derived(1, KEY))
    assert add(lab, 1, OTHER_KEY).outcome == "returned"
    assert len(usable(lab, pledge_id(1))) == 1


def test_m03_removing_wipes_the_secrets_and_keeps_the_window(lab: Desk) -> None:
    """What stays is a tombstone (RFC 8613 §7.5)."""
    add(lab, 1, KEY)
    join(lab)
    window = lab.sql("SELECT * FROM context_state")
    act(lab, remove_pledge, 1)
    assert lab.sql("SELECT * FROM context_state") == window
    assert lab.sql("SELECT state, wrapped_secret, psk_fingerprint IS NOT NULL FROM credential") == [
        ("removed", None, 1)
    ]
    assert lab.sql("SELECT wrapped_keys FROM context") == [(b"",)]
    assert lab.sql("SELECT count(*) FROM context_kid") == [(0,)]
    assert lab.sql("SELECT state, credential_id FROM pledge") == [("removed", None)]


def test_f03_a_removed_pledges_short_identifier_stays_burned(lab: Desk) -> None:
    """Given back, and not free while its keys live (RFC 9031 §8.4.4.1)."""
    add(lab, 1, KEY)
    join(lab)
    act(lab, remove_pledge, 1)
    assert lab.sql("SELECT released_at_ms FROM short_identifier") == [(lab.now_ms,)]
    assert lab.read(lambda tx: tx.leases.used(1, 1)) == 1
    assert lab.read(lambda tx: tx.leases.used(1, 2)) == 0


def _plan_revocation(tx: Registry, identifier: PledgeId) -> Plan:
    return plan_revocation(tx, [identifier])


def test_plans_name_each_short_identifier_with_its_network(lab: Desk) -> None:
    """One of a network where it joined before is not said to be of this one."""
    lab.network("win", b"\xbe\xef", prefix="2001:db8:1::/64")
    with hall_at(lab) as hall:
        pledge = hall.enroll(networks=("lab", "win"))
        first = hall.short_id(pledge)
        second = hall.short_id(pledge, bytes.fromhex("a10542beef"))
        for plan in (_plan_revocation, plan_removal):
            told = lab.read(lambda tx, plan=plan: plan(tx, pledge_id(1))).sentences  # type: ignore[misc]
            assert any(f"joined win as {second:04x} and keeps" in each for each in told)
            assert (
                f"It still has {first:04x} of key domain lab, where it had joined before." in told
            )


def test_plans_say_what_a_joined_pledge_still_holds(lab: Desk) -> None:
    """It keeps its link-layer keys."""
    add(lab, 1, KEY)
    join(lab)
    for plan in (_plan_revocation, plan_removal):
        sentences = " ".join(lab.read(lambda tx, plan=plan: plan(tx, pledge_id(1))).sentences)  # type: ignore[misc]
        assert "joined lab as 0042" in sentences
    with pytest.raises(OperatorError, match="gets no more answers"):
        lab.write(lambda tx: revoke_pledge(tx, pledge_id(1), actor=ACTOR, agreed=False))
