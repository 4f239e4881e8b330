"""Devices that go to another owner, or come from one (RFC 9031 §3, row A5)."""

import json
import os
from pathlib import Path

import pytest

from jrc.errors import OperatorError, Reason
from jrc.model import PledgeState, Secret
from jrc.service.applicants import Applicant, Purpose
from jrc.service.enroll import Enrolled, add_pledge
from jrc.service.examine import OnConflict
from jrc.service.explain import explain_pledge
from jrc.service.pledges import list_pledges, show_pledge
from jrc.service.replacing import Replacement, replace_pledge
from jrc.service.revoking import restore_pledge, revoke_pledge
from jrc.service.transferring import Transferred, plan_transfer, transfer_in, transfer_out
from tests.daemon.wire import OddPledge
from tests.desk import ACTOR, Desk, pledge_id
from tests.joining import JOIN, Hall, hall_at
from tests.service.enrolling import derived


def hand_on(desk: Desk, number: int = 1) -> Transferred:
    """`jrc pledge transfer out`."""
    return desk.write(
        lambda tx: transfer_out(tx, pledge_id(number), actor=ACTOR, reason="sold", agreed=True)
    )


def take(
    desk: Desk, key: bytes, number: int = 1, former: str | None = None, **more: object
) -> Enrolled:
    """`jrc pledge transfer in`."""
    who = Applicant(identifier=pledge_id(number), keys=Secret(key), **more)  # type: ignore[arg-type]
    return desk.write(lambda tx: transfer_in(tx, who, former, actor=ACTOR))


def is_silent(hall: Hall, pledge: OddPledge) -> bool:
    return hall.ask(pledge.request(JOIN)) is None


def test_a05_a_transferred_key_is_dead_from_that_transaction_on(hall: Hall) -> None:
    """RFC 9031 §3: no answer, no copy, whatever a registrar remembers."""
    old = hall.enroll()
    request = old.request(JOIN)
    assert hall.ask(request) is not None
    assert hall.ask(request) is not None  # a copy
    done = hand_on(hall.desk)
    assert ("transferred", True) == (done.state, done.changed)
    assert hall.ask(request) is None
    assert is_silent(hall, old)
    (report,) = hall.desk.read(list_pledges)
    assert ("transferred", (), None) == (report.state, report.networks, report.short_id)


def test_a05_m03_what_is_left_of_a_transferred_key_is_a_tombstone(hall: Hall) -> None:
    """Row M3: window, numbers and fingerprints; the secrets are wiped."""
    hall.join(hall.enroll())
    window = hall.desk.sql("SELECT highest, seen, numbers_reserved FROM context_state")
    hand_on(hall.desk)
    assert window == hall.desk.sql("SELECT highest, seen, numbers_reserved FROM context_state")
    ((secret, fingerprint, state),) = hall.desk.sql(
        "SELECT wrapped_secret, sender_fingerprint, state FROM credential"
    )
    assert secret is None
    assert fingerprint is not None
    assert state == "transferred"
    assert [] == hall.desk.sql("SELECT kid_context FROM context_kid")


def test_f03_the_short_identifier_of_a_transferred_pledge_is_held_back(hall: Hall) -> None:
    """RFC 9031 §8.4.4.1: as long as the keys that it went out with are good."""
    value = hall.short_id(hall.enroll())
    hand_on(hall.desk)
    ((held, released),) = hall.desk.sql("SELECT value, released_at_ms FROM short_identifier")
    assert held == value
    assert released is not None
    assert [] == hall.desk.sql("SELECT pledge_id FROM node")


def test_a05_the_plan_says_what_the_device_still_knows(hall: Hall) -> None:
    """Its next owner can read the link-layer keys out of it."""
    hall.join(hall.enroll())
    plan = hall.desk.read(lambda tx: plan_transfer(tx, pledge_id(1)))
    assert plan.needs_consent
    assert "`jrc rollover start lab`" in plan.sentences[-1]
    with pytest.raises(OperatorError):
        hall.desk.write(lambda tx: transfer_out(tx, pledge_id(1), actor=ACTOR))
    assert "`jrc rollover start lab`" in hand_on(hall.desk).said[-1]


def test_a05_the_dossier_has_no_key_and_is_written_as_often_as_asked(hall: Hall) -> None:
    """What the next owner needs: which device it is, and how to know a key that was used."""
    psk = os.urandom(16)
    hall.join(hall.enroll(key=psk, label="lamp", source="secret/folder.csv:7"))
    shown = hall.desk.read(lambda tx: show_pledge(tx, pledge_id(1)))
    first, again = hand_on(hall.desk), hand_on(hall.desk)
    assert (True, False) == (first.changed, again.changed)
    assert first.dossier == again.dossier
    dossier = json.loads(json.dumps(first.dossier))
    assert (1, pledge_id(1).value.hex()) == (dossier["jrc_dossier"], dossier["pledge_id"])
    assert ("lamp", "6ln", None) == (dossier["label"], dossier["role"], dossier["profile"])
    assert shown.keys[0].key_check == dossier["key_check"]
    ((past),) = dossier["history"]
    assert ("psk", "operator", "transferred") == (past["kind"], past["provenance"], past["state"])
    text = json.dumps(dossier)
    assert "folder" not in text
    assert psk.hex() not in text


def test_a05_a_transferred_device_comes_back_with_a_new_key_only(hall: Hall) -> None:
    """RFC 9031 §3: by a command that says so."""
    psk, key = os.urandom(16), os.urandom(16)
    old = hall.enroll(key=psk)
    hall.join(old)
    hand_on(hall.desk)
    with pytest.raises(OperatorError, match="was transferred: it can't come back"):
        take(hall.desk, psk)
    who = Applicant(identifier=pledge_id(1), keys=Secret(key))
    for on_conflict in (OnConflict.FAIL, OnConflict.REPLACE):
        with pytest.raises(OperatorError, match="is transferred and gets no new key"):
            hall.desk.write(
                lambda tx: add_pledge(tx, who, actor=ACTOR, on_conflict=on_conflict)  # noqa: B023
            )
    with pytest.raises(OperatorError, match="is transferred and gets no new key"):
        hall.desk.write(lambda tx: add_pledge(tx, who, actor=ACTOR, purpose=Purpose.NEXT_FIRMWARE))
    assert "returned" == take(hall.desk, key).outcome
    hall.contexts.forget_all()
    hall.join(OddPledge(pledge_id(1).value, key))
    assert is_silent(hall, old)


def test_a05_the_former_owners_key_is_refused_by_its_check_value(
    hall: Hall, tmp_path: Path
) -> None:
    """Whoever knows it can read all that it protects; derived from or not."""
    psk = os.urandom(16)
    hall.enroll(key=psk)
    former = str(hand_on(hall.desk).dossier["key_check"])
    (tmp_path / "next").mkdir()
    desk = Desk(tmp_path / "next")
    try:
        desk.network()
        for keys, told in ((Secret(psk), former), (derived(1, psk), former.upper())):
            who = Applicant(identifier=pledge_id(1), keys=keys)
            with pytest.raises(OperatorError, match="former owner"):
                desk.write(lambda tx: transfer_in(tx, who, told, actor=ACTOR))  # noqa: B023
        assert "added" == take(desk, os.urandom(16), former=former.upper()).outcome
    finally:
        desk.close()


def test_a05_an_enrolled_pledge_is_not_transferred_in(hall: Hall) -> None:
    """Its key would be replaced by a command that says nothing of it."""
    hall.enroll()
    with pytest.raises(OperatorError, match="did not come from another owner"):
        take(hall.desk, os.urandom(16))


def test_a05_a_key_that_waits_goes_with_a_transfer(hall: Hall) -> None:
    """Row A5: no second key after a transfer."""
    hall.join(hall.enroll())
    key = os.urandom(16)
    who = Applicant(identifier=pledge_id(1), keys=Secret(key))
    hall.desk.write(lambda tx: add_pledge(tx, who, actor=ACTOR, purpose=Purpose.NEXT_FIRMWARE))
    hall.contexts.forget_all()
    hand_on(hall.desk)
    assert is_silent(hall, OddPledge(pledge_id(1).value, key))
    assert [(None, None)] == hall.desk.sql("SELECT credential_id, candidate_id FROM pledge")
    states = hall.desk.sql("SELECT state FROM credential WHERE wrapped_secret IS NULL")
    assert [("transferred",)] * 2 == states
    with pytest.raises(OperatorError, match="can't come back"):
        take(hall.desk, key)


def test_a_revoked_pledge_is_restored_before_it_is_handed_on(hall: Hall) -> None:
    """RFC 9031 §8.4.2: its networks are told of it by its identifier."""
    hall.enroll()
    hall.desk.write(lambda tx: revoke_pledge(tx, pledge_id(1), actor=ACTOR))
    with pytest.raises(OperatorError, match="is revoked"):
        hand_on(hall.desk)
    hall.desk.write(lambda tx: restore_pledge(tx, pledge_id(1), actor=ACTOR))
    assert hand_on(hall.desk).changed


def test_nothing_else_is_done_to_a_transferred_pledge(hall: Hall) -> None:
    """It is another owner's, and has no key here."""
    hall.enroll()
    hand_on(hall.desk)
    asked = Replacement(old=pledge_id(1), new=pledge_id(2))
    for command in (
        lambda tx: revoke_pledge(tx, pledge_id(1), actor=ACTOR),
        lambda tx: restore_pledge(tx, pledge_id(1), actor=ACTOR),
        lambda tx: replace_pledge(tx, asked, actor=ACTOR, agreed=True),
    ):
        with pytest.raises(OperatorError, match="was transferred to another owner"):
            hall.desk.write(command)


def test_explain_says_that_a_device_was_transferred(hall: Hall) -> None:
    """For the person who stands beside it."""
    old = hall.enroll()
    hall.join(old)
    hand_on(hall.desk)
    found = hall.desk.read(lambda tx: explain_pledge(tx, pledge_id(1), ()))
    assert PledgeState.TRANSFERRED.value == found.state
    assert "transferred to another owner" in found.facts[0].sentence
    assert "jrc pledge transfer in" in found.facts[0].what_to_do
    with hall_at(hall.desk) as other:
        assert is_silent(other, old)
        assert {Reason.UNKNOWN_CONTEXT} == set(other.metrics.drops)
