"""A device died, and another one takes its place."""

from hashlib import sha256

import pytest

from jrc.errors import ExitCode, OperatorError, Reason
from jrc.model import Admission, PledgeId, PledgeState, Secret
from jrc.service.applicants import Applicant
from jrc.service.approvals import approve_pledge
from jrc.service.enroll import remove_pledge
from jrc.service.events import list_events
from jrc.service.pledges import show_pledge
from jrc.service.replacing import Replaced, Replacement, plan_replacement, replace_pledge
from jrc.service.revoking import restore_pledge, revoke_pledge
from tests.daemon.wire import OddPledge
from tests.desk import ACTOR, Desk, pledge_id
from tests.joining import JOIN, Hall

OLD, NEW, OTHER = pledge_id(1), pledge_id(2), pledge_id(3)
KEY = sha256(b"new").digest()[:16]


def asked(*, key: bytes | None = KEY, revoke: bool = False, new: PledgeId = NEW) -> Replacement:
    who = None if key is None else Applicant(identifier=new, keys=Secret(key))
    return Replacement(old=OLD, new=new, applicant=who, revoke=revoke)


def swap(desk: Desk, given: Replacement | None = None) -> Replaced:
    wanted = asked() if given is None else given
    return desk.write(
        lambda tx: replace_pledge(tx, wanted, actor=ACTOR, reason="burnt", agreed=True)
    )


def state(desk: Desk, who: PledgeId) -> str:
    return desk.read(lambda tx: show_pledge(tx, who)).pledge.state


@pytest.fixture
def old(hall: Hall) -> OddPledge:
    """A pledge that has joined."""
    device = hall.enroll(1, label="lamp 12", role=1)
    hall.join(device)
    return device


def device_of(hall: Hall, key: bytes = KEY) -> OddPledge:
    """The new device."""
    hall.contexts.forget_all()
    hall.contexts.learn([NEW.value])
    return OddPledge(NEW.value, key)


def test_the_new_one_is_what_the_old_one_was(hall: Hall, old: OddPledge) -> None:
    """Networks, role and label; each names the other."""
    done = swap(hall.desk)
    assert (done.state, done.networks, done.role) == ("superseded", ("lab",), "6lbr")
    new = hall.desk.read(lambda tx: show_pledge(tx, NEW))
    assert (new.pledge.networks, new.pledge.role, new.pledge.label) == (("lab",), "6lbr", "lamp 12")
    assert (new.replaces, new.replaced_by) == (str(OLD), None)
    before = hall.desk.read(lambda tx: show_pledge(tx, OLD))
    assert (before.pledge.state, before.replaced_by) == (PledgeState.SUPERSEDED, str(NEW))


def test_the_old_one_is_never_answered_again(hall: Hall, old: OddPledge) -> None:
    """Neither a new request nor a copy of its last one (row C11)."""
    last = old.request(JOIN)
    assert hall.ask(last) is not None
    swap(hall.desk)
    hall.contexts.forget_all()
    assert hall.ask(last) is None
    assert hall.ask(old.request(JOIN)) is None
    assert hall.metrics.drops[Reason.REVOKED] == 1


def test_f03_the_new_one_gets_a_short_identifier_of_its_own(hall: Hall, old: OddPledge) -> None:
    """That of the old one is held back while its keys live (RFC 9031 §8.4.4.1)."""
    before = hall.short_id(old)
    swap(hall.desk)
    assert hall.short_id(device_of(hall)) != before
    (row,) = hall.desk.sql(
        "SELECT released_at_ms IS NOT NULL FROM short_identifier WHERE value = :v", v=before
    )
    assert row == (1,)


def test_no_keys_are_changed_for_a_dead_device(hall: Hall, old: OddPledge) -> None:
    """The plan says that they are good, and how it is done for a stolen one."""
    plan = hall.desk.read(lambda tx: plan_replacement(tx, asked()))
    text = " ".join(plan.sentences)
    assert plan.needs_consent
    assert "say --revoke" in text
    assert "takes the place of" in text
    assert swap(hall.desk).rollovers == ()
    assert hall.desk.sql("SELECT count(*) FROM rollover") == [(0,)]


def test_a_stolen_one_is_revoked_and_its_keys_are_changed(hall: Hall, old: OddPledge) -> None:
    """RFC 9031 §8.4.2: it goes on the blocklist."""
    done = swap(hall.desk, asked(revoke=True))
    assert (done.state, [each.outcome for each in done.rollovers]) == ("revoked", ["started"])
    assert hall.desk.read(lambda tx: tx.pledges.blocklist(1))[0] == (OLD.value,)
    assert hall.desk.read(lambda tx: show_pledge(tx, OLD)).replaced_by == str(NEW)


def test_one_that_was_imported_takes_over(hall: Hall, old: OddPledge) -> None:
    """It leaves networks that the old one was not in, which the plan says."""
    hall.desk.network("hall", b"\xbe\xef")
    hall.desk.pledge(2, KEY, networks=("hall",))
    plan = hall.desk.read(lambda tx: plan_replacement(tx, asked(key=None)))
    assert f"Pledge {NEW} may join hall no more." in plan.sentences
    swap(hall.desk, asked(key=None))
    assert hall.desk.read(lambda tx: show_pledge(tx, NEW)).pledge.networks == ("lab",)
    hall.join(device_of(hall))


def test_an_approval_carries_over(desk: Desk, hall: Hall) -> None:
    """The person has approved the place, and the replacement by saying so."""
    desk.network("gate", b"\xbe\xef", admission=Admission.APPROVAL)
    desk.pledge(1, networks=("gate",))
    desk.write(lambda tx: approve_pledge(tx, OLD, network="gate", actor=ACTOR))
    swap(desk)
    assert desk.sql("SELECT pledge_id FROM admission WHERE admitted_at_ms IS NOT NULL") == [(2,)]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (asked(key=None), "is not enrolled"),
        (asked(key=None, new=OLD), "can't take its own place"),
        (asked(key=None, new=OTHER), "has joined, and is a node of its own"),
        (asked(new=OTHER), "is enrolled already"),
    ],
)
def test_who_can_not_take_over_is_refused(
    hall: Hall, old: OddPledge, given: Replacement, said: str
) -> None:
    """Nothing is changed then."""
    hall.join(hall.enroll(3))
    with pytest.raises(OperatorError, match=said) as refusal:
        swap(hall.desk, given)
    assert refusal.value.exit_code is ExitCode.REFUSED
    assert state(hall.desk, OLD) == "joined"


def test_the_key_of_the_old_one_is_no_key_for_the_new_one(hall: Hall) -> None:
    """A PSK is used once (RFC 9031 §3)."""
    _, key = hall.desk.pledge(1)
    with pytest.raises(OperatorError, match="psk"):
        swap(hall.desk, asked(key=key))


def test_one_that_was_replaced_is_not_replaced_again(hall: Hall, old: OddPledge) -> None:
    """The one in its place is; unless that was removed."""
    swap(hall.desk)
    again = asked(new=OTHER, key=sha256(b"other").digest()[:16])
    with pytest.raises(OperatorError, match=f"was replaced by {NEW} already"):
        swap(hall.desk, again)
    hall.desk.write(lambda tx: remove_pledge(tx, NEW, actor=ACTOR))
    assert swap(hall.desk, again).replaced_by == str(OTHER)


def test_m03_a_replacement_is_taken_back(hall: Hall, old: OddPledge) -> None:
    """The old one, its keys in force, is the node that it was; both are pledges then."""
    value = hall.short_id(old)
    swap(hall.desk)
    back = hall.desk.write(lambda tx: restore_pledge(tx, OLD, actor=ACTOR))
    assert (back.state, back.must_join) == ("joined", False)
    assert f"{NEW}, which had replaced it, is a pledge of its own from now on" in back.said[-1]
    hall.contexts.forget_all()
    assert hall.short_id(old) == value
    assert hall.desk.read(lambda tx: show_pledge(tx, NEW)).replaces is None
    hall.join(device_of(hall))


def test_one_that_is_found_to_be_stolen_later_is_revoked(hall: Hall, old: OddPledge) -> None:
    """Its keys are changed then."""
    swap(hall.desk)
    done = hall.desk.write(lambda tx: revoke_pledge(tx, OLD, actor=ACTOR))
    assert (done.state, done.changed) == ("revoked", True)
    assert hall.desk.sql("SELECT count(*) FROM rollover") == [(1,)]


def test_both_are_in_the_audit_log(hall: Hall, old: OddPledge) -> None:
    """Who, why, and what before and after."""
    swap(hall.desk)
    gone = hall.desk.read(lambda tx: list_events(tx, pledge=OLD))[-1]
    assert (gone.kind, gone.actor, gone.reason) == ("pledge.superseded", ACTOR, "burnt")
    assert gone.detail == {
        "state": ["joined", "superseded"], "by": str(NEW), "networks": ["lab"], "joined": "lab",
        "short_ids": {"lab": gone.detail["short_ids"]["lab"]},  # type: ignore[index]
    }  # fmt: skip
    come = hall.desk.read(lambda tx: list_events(tx, pledge=NEW))[-1]
    assert (come.kind, come.detail["replaces"]) == ("pledge.added", str(OLD))
