"""Single pledges that are taken through RFC 8613 App. B.2, and who waits for it (rows B7, M4)."""

import pytest

from jrc.cojp.oscore_context import derive_for_jrc
from jrc.errors import ExitCode, OperatorError, Reason
from jrc.model import Profile, Secret
from jrc.service.applicants import Applicant, DerivedKeys
from jrc.service.enroll import add_pledge
from jrc.service.examine import OnConflict
from jrc.service.explain import explain_pledge
from jrc.service.pledge_recovery import plan_recovery, recover_pledges
from jrc.service.pledges import list_pledges, show_pledge
from jrc.service.survey import survey
from tests.desk import ACTOR, pledge_id
from tests.joining import Hall
from tests.service.recoveries import CAFE, answered, comes_back, enroll, joins, lose


def recover(hall: Hall, number: int = 1) -> bool:
    """``jrc pledge recover``; whether it changed anything."""
    done = hall.desk.write(lambda tx: recover_pledges(tx, [pledge_id(number)], actor=ACTOR))
    hall.contexts.learn([pledge_id(number).value])
    hall.contexts.forget_all()
    return done.pledges[0].changed


def test_b07_a_pledge_whose_numbers_begin_anew_is_heard_again(hall: Hall) -> None:
    """RFC 9031 §8.3.3: any event that loses mutable parameters, at the pledge as well."""
    pledge = enroll(hall, first=900)
    joins(hall, pledge)
    pledge.context.sender_sequence_number = 0
    assert answered(hall, pledge) is None
    assert recover(hall)
    comes_back(hall, pledge)


def test_b07_a_pledge_that_lost_its_new_context_begins_with_its_identifier(hall: Hall) -> None:
    """RFC 8613 App. B.2: the first context only ever begins a run, so that it can come back."""
    pledge = enroll(hall)
    first = pledge.context
    lose(hall)
    comes_back(hall, pledge)
    joins(hall, pledge)
    pledge.context = first
    first.sender_sequence_number = 0
    assert answered(hall, pledge) is None
    assert recover(hall)
    comes_back(hall, pledge)


def test_n07_a_damaged_window_comes_back_by_app_b2(hall: Hall) -> None:
    """RFC 8613 §7.5: what does not authenticate is lost, and nothing of it is used."""
    pledge = enroll(hall)
    joins(hall, pledge)
    hall.desk.sql("UPDATE context_state SET numbers_reserved = 7")
    hall.contexts.forget_all()
    assert answered(hall, pledge) is None
    assert recover(hall)
    comes_back(hall, pledge)


def test_b07_who_waits_is_listed_with_what_came_of_it(hall: Hall) -> None:
    """RFC 9031 §8.3.3."""
    pledge = enroll(hall)
    enroll(hall, 2)
    assert recover(hall)
    assert not recover(hall)
    (listed,) = hall.desk.write(lambda tx: list_pledges(tx, recovering=True))
    assert (str(pledge_id(1)), "waiting") == (listed.pledge_id, listed.recovery)
    shown = hall.desk.write(lambda tx: show_pledge(tx, pledge_id(1)))
    assert "its next request is answered with RFC 8613 App. B.2" in (shown.recovery_means or "")
    answered(hall, pledge)
    answered(hall, pledge)
    answered(hall, pledge)
    told = hall.desk.write(lambda tx: explain_pledge(tx, pledge_id(1), []))
    assert Reason.RECOVERING.value not in {fact.reason for fact in told.facts}
    assert [] == hall.desk.write(lambda tx: list_pledges(tx, recovering=True))


def test_b07_explain_counts_runs_that_nobody_completes(hall: Hall) -> None:
    """RFC 8613 App. B.2.1: a device that does not know it asks again and again."""
    pledge = enroll(hall)
    recover(hall)
    for _ in range(3):
        hall.ask(pledge.request())
    told = hall.desk.write(lambda tx: explain_pledge(tx, pledge_id(1), []))
    (fact,) = [fact for fact in told.facts if fact.reason == Reason.RECOVERING.value]
    assert "3 runs begun" in fact.sentence
    assert not fact.blocks


def derived(hall: Hall) -> None:
    """Pledge 1 with derived keys alone."""
    security = derive_for_jrc(bytes(range(16)), pledge_id(1).value)
    keys = DerivedKeys(
        Secret(security.recipient_key), Secret(security.sender_key), Secret(security.common_iv)
    )
    who = Applicant(identifier=pledge_id(1), keys=keys)
    hall.desk.write(lambda tx: add_pledge(tx, who, actor=ACTOR))
    hall.contexts.learn([pledge_id(1).value])


def test_a06_b07_a_pledge_with_derived_keys_is_listed_for_a_new_key(hall: Hall) -> None:
    """RFC 9031 App. B, §8.3.3: no other context can be derived, so that it stays silent."""
    derived(hall)
    lose(hall)
    odd = enroll(hall, 2).odd()
    odd.context = derive_for_jrc(bytes(range(16)), pledge_id(1).value).mirrored()
    assert hall.ask(odd.request(bytes.fromhex("a10542cafe"))) is None
    assert 1 == hall.metrics.drops[Reason.NOT_RECOVERABLE]
    (listed,) = hall.desk.write(
        lambda tx: [
            each for each in list_pledges(tx, recovering=True) if each.recovery != "waiting"
        ]
    )
    assert (str(pledge_id(1)), "reprovision") == (listed.pledge_id, listed.recovery)
    told = hall.desk.write(lambda tx: explain_pledge(tx, pledge_id(1), []))
    assert any(fact.blocks and "new key" in fact.what_to_do for fact in told.facts)


def test_b07_who_cannot_do_it_is_refused(hall: Hall) -> None:
    """RFC 9031 App. B: nothing is changed, and the way out is named."""
    derived(hall)
    enroll(hall, 2, profile=Profile.OPENWSN)
    for number in (1, 2):
        with pytest.raises(OperatorError, match="can't be recovered") as refused:
            recover(hall, number)
        assert ExitCode.REFUSED is refused.value.exit_code
        assert "--on-conflict replace" in (refused.value.hint or "")
    assert [] == hall.desk.write(lambda tx: list_pledges(tx, recovering=True))


def test_b07_recovering_is_agreed_to_and_noted(hall: Hall) -> None:
    """House rule: what takes something away says so first; row O10."""
    enroll(hall)
    plan = hall.desk.write(lambda tx: plan_recovery(tx, [pledge_id(1)]))
    assert plan.needs_consent
    with pytest.raises(OperatorError):
        hall.desk.write(lambda tx: recover_pledges(tx, [pledge_id(1)], actor=ACTOR, agreed=False))
    recover(hall)
    events = hall.desk.sql("SELECT actor FROM event WHERE kind = 'pledge.lost'")
    assert [(ACTOR,)] == events


def test_m04_a_psk_that_was_used_elsewhere_begins_with_app_b2(hall: Hall) -> None:
    """RFC 8613 §7.2: under which nonces it was answered is not known here."""
    pledge = enroll(hall, used_before=True)
    comes_back(hall, pledge)


def test_m04_used_keys_that_cannot_be_renewed_are_refused(hall: Hall) -> None:
    """Row M4: derived keys, and firmware without App. B.2."""
    with pytest.raises(OperatorError, match="used_before"):
        enroll(hall, profile=Profile.OPENWSN, used_before=True)


def test_a_new_key_is_not_lost(hall: Hall) -> None:
    """RFC 9031 §3: a key that replaces another begins with an empty window."""
    pledge = enroll(hall)
    lose(hall)
    psk = Secret(b"a key of sixteen" + bytes(range(16)))
    who = Applicant(identifier=pledge_id(1), keys=psk, networks=("lab",))
    hall.desk.write(lambda tx: add_pledge(tx, who, actor=ACTOR, on_conflict=OnConflict.REPLACE))
    hall.contexts.forget_all()
    fresh = type(pledge)(pledge.identifier, psk, CAFE)
    joins(hall, fresh)


def test_b07_the_overseer_sees_how_many_wait(hall: Hall) -> None:
    """RFC 9031 §8.3.3: who can't come back by itself is counted apart."""
    enroll(hall)
    mote = enroll(hall, 2, profile=Profile.OPENWSN)
    assert (0, 0) == hall.desk.write(survey).recovering
    lose(hall)
    assert (2, 1) == hall.desk.write(survey).recovering
    assert answered(hall, mote) is None
