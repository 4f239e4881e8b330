"""A quarantined database answers nobody, and opens when nothing is left that could repeat."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from jrc.cojp.objects import LinkLayerKey
from jrc.errors import OperatorError, Reason
from jrc.model import Admission, Condition, KeySetState
from jrc.service.approvals import approve_pledge
from jrc.service.installers import InstallerId, wanted_keys
from jrc.service.nodes import list_nodes
from jrc.service.recover import (
    Progress,
    Step,
    quarantine,
    quarantine_by_operator,
    recover_step,
    revoke_confirmed,
)
from jrc.service.recovery_reports import plan_recovery, recovery_report, waiting_pledges
from jrc.service.rollover import start_rollover
from jrc.service.rollover_records import RolloverCause, RolloverSettings
from jrc.service.rollover_wishes import want_rollover
from jrc.service.windows import OpenWindow, list_windows, open_window
from jrc.store.database import Database
from tests.daemon.wire import OddPledge
from tests.desk import ACTOR, KEK, Desk, pledge_id
from tests.joining import Hall
from tests.rollovers import AS_6LBR
from tests.service.enrolling import KEY, add, derived
from tests.service.office import Office

WHY = "the database is an old copy"


def set_apart(desk: Desk) -> None:
    desk.write(lambda tx: quarantine(tx, WHY, actor="jrc"))


def step(desk: Desk) -> Progress:
    return desk.write(lambda tx: recover_step(tx, actor=ACTOR, reason="r"))


def recover(desk: Desk) -> list[Progress]:
    """All steps, each as a process of its own would do it."""
    done: list[Progress] = []
    while not done or done[-1].step is not Step.OPEN:
        done.append(step(desk))
        desk.database.close()
        desk.database = Database.open(desk.url, KEK)
    return done


def condition(desk: Desk) -> Condition:
    return desk.read(lambda tx: tx.database.condition)


def keys(desk: Desk, domain: int = 1) -> dict[int, tuple[KeySetState, tuple[int, ...]]]:
    """State and key ids of each generation."""
    found = desk.read(lambda tx: tx.keysets.generations(domain))
    return {each.number: (each.state, each.key_ids) for each in found}


def current(desk: Desk) -> tuple[LinkLayerKey, ...]:
    (live,) = desk.read(lambda tx: tx.keysets.live(1))
    return live.keys


@pytest.fixture
def joined(hall: Hall) -> OddPledge:
    """A pledge that has joined lab."""
    pledge = hall.enroll()
    hall.join(pledge)
    return pledge


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    made.desk.network()
    yield made
    made.desk.close()


# Quarantine


def test_e08_a_quarantine_counts_for_requests_and_copies_of_a_daemon_that_does_not_know_of_it(
    hall: Hall, joined: OddPledge
) -> None:
    """RFC 9031 §8.3.3: as where another registrar on the same database has set it apart."""
    last = joined.request(b"\xa1\x05\x42\xca\xfe")
    assert hall.ask(last) is not None
    set_apart(hall.desk)
    assert hall.ask(last) is None
    assert hall.ask(joined.request(b"\xa1\x05\x42\xca\xfe")) is None
    assert {Reason.COPY_REFUSED: 1, Reason.QUARANTINED: 1} == dict(hall.metrics.drops)


def test_e08_a_daemon_that_knows_of_it_looks_at_nothing(hall: Hall, joined: OddPledge) -> None:
    """RFC 9031 §7.3.2: each datagram is counted, and nothing else."""
    hall.intake.close(True)
    hall.take(joined.request(b"\xa1\x05\x42\xca\xfe"), b"garbage")
    assert ([], {Reason.QUARANTINED: 2}) == (hall.asks, dict(hall.metrics.drops))
    hall.intake.close(False)
    hall.join(joined)


def test_a_quarantine_makes_another_database_of_it_and_says_why(desk: Desk) -> None:
    """No copy passes for it, and what was recovered before counts no more."""
    before = desk.database.instance
    set_apart(desk)
    after = desk.database.instance
    assert (Condition.QUARANTINED, WHY, 1) == (
        after.condition,
        after.condition_detail,
        after.incarnation,
    )
    assert before.epoch != after.epoch
    assert after.policy_revision == before.policy_revision + 1
    ((kind, detail),) = desk.sql("SELECT kind, detail FROM event ORDER BY number DESC LIMIT 1")
    assert "database.quarantined" == kind
    assert before.epoch.hex() in str(detail)


def test_the_operator_quarantines_with_a_yes_alone(desk: Desk) -> None:
    """For a rollback of a whole machine, which nothing here can notice."""
    with pytest.raises(OperatorError, match="nobody is answered"):
        desk.write(lambda tx: quarantine_by_operator(tx, actor=ACTOR))
    assert Condition.OPEN is condition(desk)
    desk.write(lambda tx: quarantine_by_operator(tx, actor=ACTOR, reason="snapshot", agreed=True))
    assert "snapshot" in desk.database.instance.condition_detail
    assert Condition.QUARANTINED is condition(desk)


def test_nothing_is_begun_that_a_quarantined_database_could_not_stand_for(desk: Desk) -> None:
    """Neither windows nor rollovers nor pledges, whose keys could have been used since."""
    desk.network(admission=Admission.WINDOW)
    desk.pledge(1)
    set_apart(desk)
    window = OpenWindow(network="lab", for_s=60, max_pledges=2)
    with pytest.raises(OperatorError, match="no join window opens while"):
        desk.write(lambda tx: open_window(tx, window, actor=ACTOR))
    with pytest.raises(OperatorError, match="no rollover starts while"):
        desk.write(lambda tx: start_rollover(tx, "lab", actor=ACTOR))
    with pytest.raises(OperatorError, match="no pledge is added while"):
        desk.pledge(2)
    assert desk.read(lambda tx: wanted_keys(tx, "lab")) is None


def test_e09_no_update_goes_out_under_a_quarantined_or_a_lost_context(office: Office) -> None:
    """RFC 9031 §8.3.3: sender numbers and keys may have gone on since the copy was made."""
    office.join(1)
    office.start()
    numbers = office.state()["numbers_reserved"]
    set_apart(office.desk)
    turned = office.turn()
    assert ((), ()) == (turned.updates, turned.told)
    assert "quarantined" in (turned.no_numbers or "")
    recover(office.desk)
    office.start()
    assert () == office.turn().updates
    assert numbers == office.state()["numbers_reserved"]


# Recovery


def test_e08_keys_key_ids_and_short_identifiers_are_drawn_anew_before_anybody_is_let_in(
    hall: Hall, joined: OddPledge
) -> None:
    """RFC 9031 §8.3.3; the database opens with the last step, and with no other."""
    desk, old = hall.desk, current(hall.desk)
    set_apart(desk)
    while (done := step(desk)).step is not Step.OPEN:
        assert Condition.QUARANTINED is condition(desk)
    assert Condition.OPEN is condition(desk)
    assert Step.OPEN is done.step
    assert (KeySetState.RETIRED, (1,)) == keys(desk)[1]
    (new,) = current(desk)
    assert new.key_value.reveal() != old[0].key_value.reveal()
    assert new.key_id not in range(2, 2 + 64)
    assert [] == desk.sql("SELECT * FROM short_identifier")


def test_e08_every_context_is_lost_and_its_numbers_are_never_lowered(
    hall: Hall, joined: OddPledge
) -> None:
    """RFC 8613 App. B.2; a stored answer is not given again either (row C11)."""
    copy = joined.request(b"\xa1\x05\x42\xca\xfe")
    hall.ask(copy)
    numbers = hall.row()[3]
    set_apart(hall.desk)
    recover(hall.desk)
    needs_recovery, answer = hall.desk.sql("SELECT needs_recovery, answer FROM context_state")[0]
    assert (1, None, numbers) == (needs_recovery, answer, hall.row()[3])


def test_what_is_left_of_a_recovery_that_was_broken_off_is_done_later(desk: Desk) -> None:
    """Each step is on disk; none is done twice."""
    for name, identifier in (("lab", b"\xca\xfe"), ("hall", b"\xca\xff")):
        desk.network(name, identifier)
    desk.pledge(1, networks=("lab",))
    desk.pledge(2, networks=("lab",))
    set_apart(desk)
    done = recover(desk)
    assert [Step.CONTEXTS, Step.KEYS, Step.KEYS, Step.OPEN] == [each.step for each in done]
    assert (2, 1, 0) == (done[0].contexts, done[1].key_domains_left, done[2].key_domains_left)
    assert {"lab", "hall"} == {each.key_domain for each in done if each.key_domain}
    with pytest.raises(OperatorError, match="nothing to recover"):
        step(desk)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE link_layer_key SET wrapped_value = x'00'",
        "UPDATE link_layer_key SET key_addinfo = x'01'",
        "UPDATE key_generation SET mac = x'00'",
        "UPDATE key_generation SET state = 'retired'",
    ],
)
def test_e08_keys_that_were_damaged_before_the_copy_was_made_hinder_no_recovery(
    hall: Hall, joined: OddPledge, damage: str
) -> None:
    """Every key is drawn anew (RFC 9031 §8.3.3), so that nothing hangs on the old ones."""
    set_apart(hall.desk)
    hall.desk.sql(damage)
    recover(hall.desk)
    assert Condition.OPEN is condition(hall.desk)
    assert [KeySetState.RETIRED, KeySetState.CURRENT] == [
        state for state, _ in keys(hall.desk).values()
    ]
    assert 1 == len(current(hall.desk))


def test_e08_a_second_quarantine_begins_anew(desk: Desk) -> None:
    """A copy made during a recovery does not know what was said after it."""
    desk.network()
    set_apart(desk)
    step(desk)
    first = keys(desk)
    set_apart(desk)
    recover(desk)
    assert set(first) < set(keys(desk))
    assert KeySetState.RETIRED is keys(desk)[max(first)][0]


def test_rollovers_end_windows_close_and_who_was_let_in_stays_so(hall: Hall) -> None:
    """What was wanted or running was for keys that are gone."""
    desk = hall.desk
    desk.network("gate", b"\xca\xff", admission=Admission.WINDOW)
    desk.network("yard", b"\xca\xfd", admission=Admission.APPROVAL)
    hall.enroll(1, networks=("yard",))
    desk.write(lambda tx: approve_pledge(tx, pledge_id(1), network="yard", actor=ACTOR))
    window = OpenWindow(network="gate", for_s=600, max_pledges=2)
    desk.write(lambda tx: open_window(tx, window, actor=ACTOR))
    desk.write(lambda tx: start_rollover(tx, "lab", actor=ACTOR))
    desk.write(lambda tx: want_rollover(tx, 2, cause=RolloverCause.OPERATOR, actor=ACTOR))
    admitted = desk.sql("SELECT * FROM admission")
    set_apart(desk)
    recover(desk)
    assert [] == desk.read(lambda tx: [*tx.rollovers.all_running(), *tx.rollovers.all_wanted()])
    assert [] == desk.read(list_windows)
    assert admitted
    assert admitted == desk.sql("SELECT * FROM admission")


def test_revocations_that_are_confirmed_are_in_force_before_anybody_is_let_in(
    hall: Hall, joined: OddPledge
) -> None:
    """Those that the copy does not know of; who is unknown can't join anyway."""
    desk, stranger = hall.desk, pledge_id(9)
    with pytest.raises(OperatorError, match="nothing to recover"):
        desk.write(lambda tx: revoke_confirmed(tx, [pledge_id(1)], RolloverSettings(), actor=ACTOR))
    set_apart(desk)
    listed = [pledge_id(1), stranger, pledge_id(1)]
    revoked = desk.write(lambda tx: revoke_confirmed(tx, listed, RolloverSettings(), actor=ACTOR))
    assert (1, 1) == revoked
    recover(desk)
    hall.contexts.forget_all()
    assert hall.ask(joined.request(b"\xa1\x05\x42\xca\xfe")) is None
    assert {Reason.REVOKED: 1} == dict(hall.metrics.drops)


def test_e09_the_plan_and_what_is_left_name_every_6lbr(hall: Hall) -> None:
    """RFC 9031 §8.3.3: by its installer, or by hand for one that joins."""
    desk, router = hall.desk, hall.enroll(7, role=1)
    hall.join(router, AS_6LBR)
    hall.join(hall.enroll(8))
    installers = [InstallerId("lab", "radio")]
    set_apart(desk)
    plan = desk.read(lambda tx: plan_recovery(tx, [pledge_id(8), pledge_id(9)], installers))
    text = " ".join(plan.plan.sentences)
    for words in (WHY, "2 pledges in 1 network (lab)", str(pledge_id(7)), "1 installer"):
        assert words in text
    assert (1, (str(pledge_id(9)),)) == (plan.named, plan.unknown)
    recover(desk)
    report = desk.read(lambda tx: recovery_report(tx, installers))
    assert (2, 0, 2, 0) == (report.pledges, report.back, report.waiting, report.reprovision)
    left = [(each.border_router, each.by, each.done) for each in report.border_routers]
    assert [("radio", "installer", False), (str(pledge_id(7)), "join", False)] == left
    behind = desk.read(lambda tx: list_nodes(tx, behind=True))
    assert [True, True] == [each.must_join for each in behind]


def test_pledges_that_can_not_come_back_are_named_with_what_to_do(desk: Desk) -> None:
    """RFC 8613 App. B.2 needs the PSK: a pledge with derived keys gets a new key."""
    desk.network()
    desk.pledge(1)
    add(desk, 2, derived(2, KEY))
    set_apart(desk)
    recover(desk)
    first, second = desk.read(waiting_pledges)
    assert (None, "derived_keys") == (first.obstacle, second.obstacle)
    assert "--on-conflict replace" in second.what_to_do
    assert [second] == desk.read(lambda tx: waiting_pledges(tx, after=pledge_id(1)))
    assert 1 == desk.read(lambda tx: recovery_report(tx, ())).reprovision
