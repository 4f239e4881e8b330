"""Approval on a real database: who waits is listed once, silent, and joins when approved."""

from collections.abc import Iterator

import pytest

from jrc.errors import ExitCode, OperatorError, Reason
from jrc.model import Admission, PledgeState, ShortIdRange
from jrc.service.approvals import Approved, approve_pledge
from jrc.service.enroll import remove_pledge
from jrc.service.networks import NetworkChanges, set_network
from jrc.service.pledges import PledgeReport, list_pledges, show_pledge
from jrc.service.revoking import restore_pledge, revoke_pledge
from jrc.service.windows import OpenWindow, close_window, list_windows, open_window
from jrc.service.wording import utc_text
from tests.daemon.wire import OddPledge
from tests.desk import ACTOR, NOW_MS, Desk, pledge_id
from tests.joining import JOIN, Hall, hall_at

BEEF = bytes.fromhex("a10542beef")
SILENT = Reason.AWAITING_APPROVAL


@pytest.fixture
def hall(desk: Desk) -> Iterator[Hall]:
    """A registrar whose network ``lab`` admits whom the operator approves."""
    desk.network(admission=Admission.APPROVAL)
    with hall_at(desk) as opened:
        yield opened


@pytest.fixture
def waiting(hall: Hall) -> OddPledge:
    """A pledge that has asked once."""
    pledge = hall.enroll()
    assert hall.ask(pledge.request(JOIN)) is None
    return pledge


def approve(desk: Desk, number: int = 1, network: str | None = None) -> Approved:
    return desk.write(
        lambda tx: approve_pledge(tx, pledge_id(number), network=network, actor=ACTOR)
    )


def shown(desk: Desk, number: int = 1) -> PledgeReport:
    return desk.read(lambda tx: show_pledge(tx, pledge_id(number))).pledge


def listed(desk: Desk, state: PledgeState) -> list[str]:
    found = desk.read(lambda tx: list_pledges(tx, state=state))
    return [report.pledge_id for report in found]


def events(desk: Desk) -> list[tuple[object, ...]]:
    """What the audit log has of waiting and approving."""
    kinds = "('pledge.waiting', 'pledge.approved')"
    return desk.sql(f"SELECT kind, actor, network FROM event WHERE kind IN {kinds}")


def test_an_unapproved_pledge_gets_silence_and_is_listed(hall: Hall, waiting: OddPledge) -> None:
    """With the network, and when it asked; no key and no short identifier was given."""
    assert {SILENT: 1} == hall.metrics.drops
    report = shown(hall.desk)
    assert ("waiting", utc_text(NOW_MS)) == (report.state, report.waiting[0].asked)
    assert [("lab", 1)] == [(each.network, len(report.waiting)) for each in report.waiting]
    assert [pledge_id(1).value.hex()] == listed(hall.desk, PledgeState.WAITING)
    assert [] == listed(hall.desk, PledgeState.PROVISIONED)
    assert {"waiting": 1} == hall.desk.read(lambda tx: tx.pledges.counts().get(None, {}))
    assert hall.desk.sql("SELECT count(*) FROM short_identifier") == [(0,)]


def test_b09_a_request_of_a_waiting_pledge_uses_its_number_up(
    hall: Hall, waiting: OddPledge
) -> None:
    """Copies cost no commit, and no answer is ever given under that number (RFC 8613 §8.2)."""
    waiting.number = 0
    copy = waiting.request(JOIN)
    approve(hall.desk)
    commits = hall.row("instance", "1=1")[3]
    hall.contexts.forget_all()
    hall.take(copy)
    assert ([], {SILENT: 1, Reason.REPLAYED: 1}) == (hall.asks, hall.metrics.drops)
    assert commits == hall.row("instance", "1=1")[3]


def test_waiting_is_told_once_however_often_it_asks(hall: Hall, waiting: OddPledge) -> None:
    """When it asked first stays; the audit log does not grow with its attempts."""
    hall.desk.now_ms += 60_000
    for _ in range(5):
        assert hall.ask(waiting.request(JOIN)) is None
    assert events(hall.desk) == [("pledge.waiting", "pledge", "lab")]
    assert [utc_text(NOW_MS)] == [each.asked for each in shown(hall.desk).waiting]
    assert {SILENT: 6} == hall.metrics.drops


def test_the_next_request_after_an_approval_joins(hall: Hall, waiting: OddPledge) -> None:
    """And each one after it; the approval is asked for once for a network."""
    done = approve(hall.desk)
    assert Approved(pledge_id=str(pledge_id(1)), network="lab", changed=True) == done
    assert ("provisioned", ()) == (shown(hall.desk).state, shown(hall.desk).waiting)
    hall.join(waiting)
    hall.contexts.forget_all()
    hall.join(waiting)
    assert shown(hall.desk).state == "joined"
    assert events(hall.desk)[1:] == [("pledge.approved", ACTOR, "lab")]


def test_an_approval_is_given_once(hall: Hall, waiting: OddPledge) -> None:
    """A second one changes nothing and is not in the audit log."""
    assert approve(hall.desk).changed
    assert not approve(hall.desk).changed
    assert not approve(hall.desk, network="lab").changed
    assert len(events(hall.desk)) == 2


def test_an_approval_raises_the_policy_revision(hall: Hall, waiting: OddPledge) -> None:
    """So that every registrar on the database reads its contexts anew."""
    before = hall.database.read_instance().policy_revision
    approve(hall.desk)
    assert before + 1 == hall.database.read_instance().policy_revision


def test_a_pledge_can_be_approved_before_it_asks(hall: Hall) -> None:
    """It has to be said for which network, since it waits for none."""
    pledge = hall.enroll()
    with pytest.raises(OperatorError, match="does not wait for approval") as refused:
        approve(hall.desk)
    assert (ExitCode.REFUSED, True) == (refused.value.exit_code, "--network" in refused.value.hint)
    approve(hall.desk, network="lab")
    hall.join(pledge)


def test_each_network_approves_for_itself(hall: Hall) -> None:
    """A pledge that has joined one network waits for another like anybody."""
    hall.desk.network("hall", b"\xbe\xef", prefix="2001:db8:1::/64", admission=Admission.APPROVAL)
    pledge = hall.enroll(networks=("lab", "hall"))
    hall.ask(pledge.request(JOIN))
    hall.ask(pledge.request(BEEF))
    with pytest.raises(OperatorError, match="waits for lab and hall") as many:
        approve(hall.desk)
    assert many.value.exit_code is ExitCode.USAGE
    approve(hall.desk, network="lab")
    hall.join(pledge)
    assert hall.ask(pledge.request(BEEF)) is None
    report = shown(hall.desk)
    assert ("waiting", ["hall"]) == (report.state, [each.network for each in report.waiting])
    approve(hall.desk)
    hall.contexts.forget_all()
    hall.join(pledge, BEEF)


def test_pledges_of_one_batch_are_all_listed(hall: Hall) -> None:
    """Each with a row and an event of its own, in one commit."""
    pledges = [hall.enroll(number) for number in (1, 2, 3)]
    hall.take(*(pledge.request(JOIN) for pledge in pledges))
    hall.commit()
    assert len(events(hall.desk)) == 3
    assert hall.desk.sql("SELECT count(*) FROM admission WHERE admitted_at_ms IS NULL") == [(3,)]


def test_a_pledge_that_is_not_provisioned_is_never_listed(hall: Hall) -> None:
    """Only who verifies comes that far, so that the list is bounded by the pledges."""
    stranger = OddPledge(pledge_id(9).value, bytes(range(16)))
    hall.ask(stranger.request(JOIN))
    forger = hall.enroll(1)
    forger.context = stranger.context
    hall.ask(forger.request(JOIN))
    assert hall.desk.sql("SELECT count(*) FROM admission") == [(0,)]


def test_m03_a_waiting_pledge_can_be_revoked_and_restored(hall: Hall, waiting: OddPledge) -> None:
    """Revoked it is not listed as one that waits; restored it waits as before."""
    hall.act(revoke_pledge)
    assert [] == listed(hall.desk, PledgeState.WAITING)
    hall.contexts.forget_all()
    assert hall.ask(waiting.request(JOIN)) is None
    assert hall.metrics.drops[Reason.REVOKED] == 1
    with pytest.raises(OperatorError, match="is revoked"):
        approve(hall.desk)
    hall.act(restore_pledge)
    assert shown(hall.desk).state == "waiting"
    approve(hall.desk)
    hall.contexts.forget_all()
    hall.join(waiting)


def test_revoking_ends_an_approval(hall: Hall, waiting: OddPledge) -> None:
    """A restored pledge is approved anew, whether it had joined or not."""
    approve(hall.desk)
    hall.join(waiting)
    hall.act(revoke_pledge)
    assert hall.desk.sql("SELECT count(*) FROM admission") == [(0,)]
    hall.act(restore_pledge)
    hall.contexts.forget_all()
    assert hall.ask(waiting.request(JOIN)) is None
    assert {SILENT: 2} == hall.metrics.drops
    assert approve(hall.desk).changed
    hall.contexts.forget_all()
    hall.join(waiting)


@pytest.mark.parametrize("remembered", [True, False])
def test_m03_revoking_ends_what_a_window_let_in(desk: Desk, remembered: bool) -> None:
    """Restored outside a window it is refused; the next one lets it in anew, and counts it."""
    desk.network(admission=Admission.WINDOW)
    once = OpenWindow(network="lab", for_s=600, max_pledges=20)
    with hall_at(desk) as hall:
        desk.write(lambda tx: open_window(tx, once, actor=ACTOR))
        pledge = hall.enroll()
        hall.join(pledge)
        desk.write(lambda tx: close_window(tx, "lab", actor=ACTOR))
        hall.act(revoke_pledge)
        assert desk.sql("SELECT count(*) FROM admission") == [(0,)]
        hall.act(restore_pledge)
        if not remembered:
            hall.contexts.forget_all()
        hall.ask(pledge.request(JOIN))
        assert ("lab", Reason.WINDOW_CLOSED) == hall.metrics.answers[-1]
        desk.write(lambda tx: open_window(tx, once, actor=ACTOR))
        hall.join(pledge)
        found = desk.read(lambda tx: list_windows(tx, with_past=True))
        assert [("open", 1), ("closed", 1)] == [(each.state, each.admitted) for each in found]


def test_a_revoked_node_is_not_let_in_by_a_switch_to_approval(desk: Desk) -> None:
    """Who had joined counts as let in; who is revoked does not."""
    desk.network()
    with hall_at(desk) as hall:
        for number in (1, 2):
            hall.join(hall.enroll(number))
        hall.act(revoke_pledge)
        changes = NetworkChanges(admission=Admission.APPROVAL)
        desk.write(lambda tx: set_network(tx, "lab", changes, actor=ACTOR))
        assert desk.sql("SELECT pledge_id FROM admission") == [(2,)]


def test_a_waiting_pledge_can_be_removed(hall: Hall, waiting: OddPledge) -> None:
    """Nothing of its waiting is left."""
    hall.act(remove_pledge)
    assert hall.desk.sql("SELECT count(*) FROM admission") == [(0,)]
    assert {} == hall.desk.read(lambda tx: tx.pledges.counts().get(None, {}))


def test_a_network_that_admits_everybody_again_has_nobody_waiting(
    hall: Hall, waiting: OddPledge
) -> None:
    """What was approved stays approved, should it begin to choose again."""
    approved = hall.enroll(2)
    approve(hall.desk, 2, "lab")
    known, choosy = (NetworkChanges(admission=a) for a in (Admission.KNOWN, Admission.APPROVAL))
    hall.desk.write(lambda tx: set_network(tx, "lab", known, actor=ACTOR))
    assert shown(hall.desk).state == "provisioned"
    hall.desk.write(lambda tx: set_network(tx, "lab", choosy, actor=ACTOR))
    hall.contexts.forget_all()
    hall.join(approved)
    assert hall.ask(waiting.request(JOIN)) is None


def test_nobody_waits_for_a_network_that_has_no_identifier_left(desk: Desk) -> None:
    """Waiting comes first: what is lacking then is told when it is approved."""
    desk.network(admission=Admission.APPROVAL, short_ids=ShortIdRange(1, 1))
    with hall_at(desk) as hall:
        first, second = hall.enroll(1), hall.enroll(2)
        for number in (1, 2):
            approve(desk, number, "lab")
        hall.join(first)
        assert hall.ask(second.request(JOIN)) is None
    assert hall.metrics.drops == {Reason.NO_SHORT_IDENTIFIER: 1}


@pytest.mark.parametrize("kind", [Admission.KNOWN, Admission.WINDOW])
def test_there_is_nothing_to_approve_where_a_network_admits_otherwise(
    desk: Desk, kind: Admission
) -> None:
    """The hint says what would."""
    desk.network(admission=kind)
    desk.pledge()
    with pytest.raises(OperatorError, match=f"admits by {kind.value}") as refused:
        approve(desk, network="lab")
    assert "--admission approval" in refused.value.hint


def test_a_pledge_is_approved_for_its_own_networks_alone(hall: Hall, waiting: OddPledge) -> None:
    """An approval gives no network that the pledge was not given before."""
    hall.desk.network("hall", b"\xbe\xef", prefix="2001:db8:1::/64", admission=Admission.APPROVAL)
    with pytest.raises(OperatorError, match="may not join network hall"):
        approve(hall.desk, network="hall")
    with pytest.raises(OperatorError, match="no network 'hull'; did you mean hall"):
        approve(hall.desk, network="hull")


def test_an_edited_row_approves_nobody(hall: Hall, waiting: OddPledge) -> None:
    """Its MAC does not fit; the listing says what is damaged."""
    hall.desk.sql("UPDATE admission SET admitted_at_ms = asked_at_ms")
    assert hall.ask(waiting.request(JOIN)) is None
    assert len(hall.metrics.damages) == 1
    details = hall.desk.read(lambda tx: show_pledge(tx, pledge_id(1)))
    assert ("damaged", True) == (details.pledge.state, "its admission" in (details.damage or ""))
