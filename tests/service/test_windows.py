"""Join windows on a real database: who comes in, who is counted, how they end."""

import os
from collections.abc import Callable, Iterator

import cbor2
import pytest

from jrc.cojp.constants import CoapCode
from jrc.errors import ExitCode, OperatorError, Reason, StateError
from jrc.model import Admission, Profile, Secret, ShortIdRange
from jrc.service.applicants import Applicant
from jrc.service.enroll import add_pledge, remove_pledge
from jrc.service.examine import OnConflict
from jrc.service.networks import NetworkChanges, remove_network, set_network
from jrc.service.revoking import revoke_pledge
from jrc.service.windows import (
    OpenWindow,
    WindowReport,
    close_window,
    list_windows,
    open_window,
    parse_duration,
)
from jrc.store.database import Database
from tests.daemon.wire import OddPledge
from tests.desk import ACTOR, KEK, Desk, pledge_id
from tests.joining import JOIN, Hall, hall_at

MINUTE_MS = 60_000


@pytest.fixture
def hall(desk: Desk) -> Iterator[Hall]:
    """A registrar whose network ``lab`` admits in windows."""
    desk.network(admission=Admission.WINDOW)
    with hall_at(desk) as opened:
        yield opened


def opened(desk: Desk, most: int = 20, for_s: int = 600, *, replace: bool = False) -> WindowReport:
    """A window of ``lab``, opened now."""
    command = OpenWindow(network="lab", for_s=for_s, max_pledges=most, replace=replace)
    return desk.write(lambda tx: open_window(tx, command, actor=ACTOR))


def windows(desk: Desk) -> list[tuple[str, int, int]]:
    """State, count and limit of every window, newest first."""
    found = desk.read(lambda tx: list_windows(tx, with_past=True))
    return [(each.state, each.admitted, each.max) for each in found]


def refusal(hall: Hall, pledge: OddPledge) -> list[object]:
    """What the protected 4.00 says that a request gets."""
    answer = hall.ask(pledge.request(JOIN))
    assert answer is not None, hall.metrics.drops
    inner = pledge.open(answer)
    assert inner.code == CoapCode.BAD_REQUEST, inner
    found: list[object] = cbor2.loads(inner.payload)
    return found


def events(desk: Desk, kind: str) -> list[tuple[object, ...]]:
    return desk.sql("SELECT actor, network, detail FROM event WHERE kind = :kind", kind=kind)


# --- Who comes in ------------------------------------------------------------------------------


def test_c06_outside_a_window_a_new_pledge_is_refused_protected(hall: Hall) -> None:
    """Code 0, label 5 and the identifier (RFC 9031 §8.4.1); nothing of a place is left."""
    pledge = hall.enroll()
    assert [0, 5, b"\xca\xfe"] == refusal(hall, pledge)
    assert hall.metrics.answers == [("lab", Reason.WINDOW_CLOSED)]
    for table in ("node", "short_identifier", "admission"):
        assert hall.desk.sql(f"SELECT count(*) FROM {table}") == [(0,)]


def test_in_a_window_new_pledges_join_and_are_counted(hall: Hall) -> None:
    """One count for a pledge, however often it joins."""
    opened(hall.desk)
    first, second = hall.enroll(1), hall.enroll(2)
    for pledge in (first, second, first, first):
        hall.join(pledge)
    assert windows(hall.desk) == [("open", 2, 20)]


def test_who_was_let_in_needs_no_window_any_more(hall: Hall) -> None:
    """A node that has lost its keys must not wait for a person, in this process or the next."""
    opened(hall.desk)
    pledge = hall.enroll()
    given = hall.short_id(pledge)
    hall.desk.write(lambda tx: close_window(tx, "lab", actor=ACTOR))
    assert given == hall.short_id(pledge)
    hall.contexts.forget_all()
    assert given == hall.short_id(pledge)
    assert windows(hall.desk) == [("closed", 1, 20)]


def test_who_joined_before_the_network_had_windows_stays_in(desk: Desk) -> None:
    """The change lets all in who are there, also where their places are forgotten later."""
    desk.network()
    with hall_at(desk) as hall:
        there, absent = hall.enroll(1), hall.enroll(2)
        hall.join(there)
        changes = NetworkChanges(admission=Admission.WINDOW)
        desk.write(lambda tx: set_network(tx, "lab", changes, actor=ACTOR))
        hall.contexts.forget_all()
        hall.join(there)
        assert [0, 5, b"\xca\xfe"] == refusal(hall, absent)
        desk.write(lambda tx: tx.pledges.forget_network(1, release=False))
        desk.write(lambda tx: tx.policy_changed())
        hall.join(there)


def test_a_rejoin_reads_no_row_of_windows_or_admissions(hall: Hall) -> None:
    """Whoever is in costs what it costs in a network that admits everybody."""
    opened(hall.desk)
    pledge = hall.enroll()
    hall.join(pledge)
    hall.join(pledge)  # the opening had made the context old; it is read anew once
    hall.desk.sql("DROP TABLE admission")
    hall.join(pledge)


@pytest.mark.parametrize("most", [1, 20, 63])
def test_a_batch_lets_in_no_more_than_the_window_may(hall: Hall, most: int) -> None:
    """64 requests share a transaction: those over the limit are refused in it."""
    opened(hall.desk, most)
    pledges = [hall.enroll(number) for number in range(1, 65)]
    hall.take(*(pledge.request(JOIN) for pledge in pledges))
    hall.commit()
    expected = [("lab", None)] * most + [("lab", Reason.WINDOW_CLOSED)] * (64 - most)
    assert sorted(hall.metrics.answers, key=str) == sorted(expected, key=str)
    assert windows(hall.desk) == [("count", most, most)]
    assert hall.desk.sql("SELECT count(*) FROM admission") == [(most,)]
    ((actor, network, detail),) = events(hall.desk, "window.closed")
    assert (actor, network) == ("jrc", "lab")
    assert detail == f'{{"admitted":{most},"max":{most},"why":"count"}}'


def test_two_registrars_share_one_window(hall: Hall) -> None:
    """The row is written only as it was read: what one has counted, the other sees."""
    opened(hall.desk, 3)
    other = Database.open(hall.desk.url, KEK)
    try:
        with hall_at(hall.desk, other) as second:
            pledges = [hall.enroll(number) for number in range(1, 7)]
            second.contexts.learn(second.lookup.kid_contexts())
            for number, pledge in enumerate(pledges):
                (hall, second)[number % 2].ask(pledge.request(JOIN))
            answers = hall.metrics.answers + second.metrics.answers
            assert sum(reason is None for _, reason in answers) == 3
    finally:
        other.close()
    assert windows(hall.desk) == [("count", 3, 3)]


def test_who_is_not_admitted_in_the_end_is_not_counted(desk: Desk) -> None:
    """A pledge for which no short identifier is left has not come in."""
    desk.network(admission=Admission.WINDOW, short_ids=ShortIdRange(1, 1))
    opened(desk)
    with hall_at(desk) as hall:
        hall.join(hall.enroll(1))
        assert hall.ask(hall.enroll(2).request(JOIN)) is None
        assert hall.metrics.drops[Reason.NO_SHORT_IDENTIFIER] == 1
    assert windows(desk) == [("open", 1, 20)]
    assert desk.sql("SELECT pledge_id FROM admission") == [(1,)]


def test_a_pledge_of_another_role_is_refused_for_that_and_not_counted(hall: Hall) -> None:
    """RFC 9031 §8.4.1: what it asks for comes before whether a window is open."""
    opened(hall.desk)
    pledge = hall.enroll()
    answer = hall.ask(pledge.request(cbor2.dumps({1: 1, 5: b"\xca\xfe"})))
    assert answer is not None
    assert cbor2.loads(pledge.open(answer).payload) == [0, 1, 1]
    assert windows(hall.desk) == [("open", 0, 20)]


# --- How it ends -------------------------------------------------------------------------------


def test_the_time_ends_a_window(hall: Hall) -> None:
    """The end is written with the first refusal that meets it."""
    opened(hall.desk)
    hall.desk.now_ms += 10 * MINUTE_MS
    refusal(hall, hall.enroll())
    assert windows(hall.desk) == [("time", 0, 20)]
    ((actor, network, detail),) = events(hall.desk, "window.closed")
    assert (actor, network) == ("jrc", "lab")
    assert detail == '{"admitted":0,"max":20,"why":"time"}'


def test_a_clock_that_is_set_back_opens_no_window_again(hall: Hall) -> None:
    """Its end was met by a request, and is in its row."""
    opened(hall.desk)
    hall.desk.now_ms += 11 * MINUTE_MS
    refusal(hall, hall.enroll(1))
    hall.desk.now_ms -= 10 * MINUTE_MS
    refusal(hall, hall.enroll(2))
    assert windows(hall.desk) == [("time", 0, 20)]


def test_a_time_that_any_commit_has_seen_ends_a_window(hall: Hall) -> None:
    """No request has met the end; the database has seen the time all the same."""
    opened(hall.desk)
    hall.desk.now_ms += 11 * MINUTE_MS
    pledge = hall.enroll(1)  # a commit of the operator's
    hall.desk.now_ms -= 10 * MINUTE_MS
    refusal(hall, pledge)


def test_a_window_opens_although_the_clock_was_ahead_once(hall: Hall) -> None:
    """A year ahead, then mended: who opens a window then has one."""
    hall.desk.now_ms += 365 * 1440 * MINUTE_MS
    pledge = hall.enroll(1)
    hall.desk.now_ms -= 365 * 1440 * MINUTE_MS
    opened(hall.desk)
    hall.join(pledge)
    hall.desk.now_ms += 11 * MINUTE_MS
    refusal(hall, hall.enroll(2))


def test_a_window_can_be_closed_at_once(hall: Hall) -> None:
    """The next request is refused; a second closing has nothing to close."""
    opened(hall.desk)
    hall.join(hall.enroll(1))
    hall.desk.write(lambda tx: close_window(tx, "lab", actor=ACTOR, reason="enough"))
    refusal(hall, hall.enroll(2))
    with pytest.raises(OperatorError, match="has no open window"):
        hall.desk.write(lambda tx: close_window(tx, "lab", actor=ACTOR))


def test_a_window_is_not_opened_twice_but_replaced(hall: Hall) -> None:
    """The new one counts from nothing; the audit log says what became of the old one."""
    opened(hall.desk)
    hall.join(hall.enroll(1))
    with pytest.raises(OperatorError, match="which has let 1 of 20 in") as refused:
        opened(hall.desk)
    assert (ExitCode.REFUSED, True) == (refused.value.exit_code, "--replace" in refused.value.hint)
    opened(hall.desk, 7, replace=True)
    assert windows(hall.desk) == [("open", 0, 7), ("closed", 1, 20)]
    ((_, _, detail),) = events(hall.desk, "window.closed")
    assert detail == '{"admitted":1,"max":20,"why":"replaced"}'


def test_a_window_that_has_run_out_makes_room_by_itself(hall: Hall) -> None:
    """Nobody has to close what is over."""
    opened(hall.desk)
    hall.desk.now_ms += 10 * MINUTE_MS
    opened(hall.desk, 5)
    assert windows(hall.desk) == [("open", 0, 5), ("time", 0, 20)]


def test_an_admission_that_is_changed_closes_the_window(hall: Hall) -> None:
    """A window of a network that admits everybody would say nothing."""
    opened(hall.desk)
    changes = NetworkChanges(admission=Admission.KNOWN)
    hall.desk.write(lambda tx: set_network(tx, "lab", changes, actor=ACTOR))
    hall.join(hall.enroll())
    assert windows(hall.desk) == [("closed", 0, 20)]


def test_a_network_that_is_removed_takes_its_window_along(hall: Hall) -> None:
    """Neither window nor admission outlives it."""
    opened(hall.desk)
    hall.join(hall.enroll())
    hall.desk.write(lambda tx: remove_network(tx, "lab", actor=ACTOR, agreed=True))
    assert windows(hall.desk) == [("closed", 1, 20)]
    assert hall.desk.sql("SELECT count(*) FROM admission") == [(0,)]


# --- What ends an admission --------------------------------------------------------------------


def test_a05_a_new_key_has_to_be_let_in_anew(hall: Hall) -> None:
    """Who has another key may be another device (RFC 9031 §3)."""
    opened(hall.desk)
    hall.join(hall.enroll())
    hall.desk.write(lambda tx: close_window(tx, "lab", actor=ACTOR))
    psk = os.urandom(16)
    enroll_again(hall.desk, psk)
    hall.contexts.forget_all()
    refusal(hall, OddPledge(pledge_id(1).value, psk))


def test_a_changed_label_or_profile_ends_no_admission(hall: Hall) -> None:
    """The device is the same; it has to join again for a profile, and may."""
    opened(hall.desk)
    name, psk = hall.desk.pledge(1)
    hall.contexts.learn([name.value])
    pledge = OddPledge(name.value, psk)
    hall.join(pledge)
    hall.desk.write(lambda tx: close_window(tx, "lab", actor=ACTOR))
    enroll_again(hall.desk, psk, profile=Profile.RFC9031, label="node 7")
    hall.join(pledge)


def enroll_again(desk: Desk, psk: bytes, **more: object) -> None:
    """The same pledge with the same key and other details."""
    who = Applicant(identifier=pledge_id(1), keys=Secret(psk), **more)  # type: ignore[arg-type]
    desk.write(lambda tx: add_pledge(tx, who, actor=ACTOR, on_conflict=OnConflict.REPLACE))


@pytest.mark.parametrize("end", [revoke_pledge, remove_pledge])
def test_who_is_revoked_or_removed_is_silent_in_a_window_too(
    hall: Hall, end: Callable[..., object]
) -> None:
    """A window lets in whom the registrar answers, nobody else."""
    opened(hall.desk)
    pledge = hall.enroll()
    hall.act(end)
    assert hall.ask(pledge.request(JOIN)) is None
    assert windows(hall.desk) == [("open", 0, 20)]


# --- Damage ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE join_window SET max_pledges = 900",
        "UPDATE join_window SET until_ms = until_ms + 1",
        "UPDATE join_window SET admitted = 0",
        """INSERT INTO admission
           SELECT 2, network_id, asked_at_ms, admitted_at_ms, version, mac FROM admission""",
    ],
)
def test_a_row_that_was_edited_lets_nobody_in(hall: Hall, change: str) -> None:
    """Windows and admissions carry a MAC, as everything that decides about security does."""
    opened(hall.desk, 2)
    hall.join(hall.enroll(1))
    pledge = hall.enroll(2)
    hall.desk.sql(change)
    assert hall.ask(pledge.request(JOIN)) is None
    assert len(hall.metrics.damages) == 1


def test_a_damaged_window_can_not_be_counted_on(hall: Hall) -> None:
    """A listing says so instead of showing it."""
    opened(hall.desk)
    hall.desk.sql("UPDATE join_window SET max_pledges = 900")
    with pytest.raises(StateError, match="join_window 1 does not authenticate"):
        windows(hall.desk)


# --- Bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86400), (" 10 M ", 600), ("0s", 0)],
)
def test_durations_are_read(text: str, seconds: int) -> None:
    """A number and its unit."""
    assert seconds == parse_duration(text)


@pytest.mark.parametrize("text", ["", "10", "m", "-5m", "1.5h", "10x", "1h30m", "٣m", "9" * 40])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """The sentence shows what one is."""
    with pytest.raises(ValueError, match="is no duration such as 90s, 10m, 2h or 1d"):
        parse_duration(text)


@pytest.mark.parametrize("most", [0, -1, 1_000_001])
def test_a_window_for_nobody_or_for_all_is_refused(hall: Hall, most: int) -> None:
    """At least one, and not without end."""
    with pytest.raises(OperatorError, match="max: a window lets 1 to 1000000 pledges in"):
        opened(hall.desk, most)


@pytest.mark.parametrize("for_s", [0, 31 * 86_400])
def test_a_window_of_no_time_or_of_ages_is_refused(hall: Hall, for_s: int) -> None:
    """A second at least, thirty days at most."""
    with pytest.raises(OperatorError, match="for: a window lasts 1 s to 30 days"):
        opened(hall.desk, for_s=for_s)


@pytest.mark.parametrize("kind", [Admission.KNOWN, Admission.APPROVAL])
def test_a_network_that_admits_otherwise_has_no_windows(desk: Desk, kind: Admission) -> None:
    """The hint says how it gets some."""
    desk.network(admission=kind)
    with pytest.raises(OperatorError, match=f"admits by {kind.value}") as refused:
        opened(desk)
    assert "--admission window" in refused.value.hint


def test_a_network_that_is_unknown_has_no_windows(desk: Desk) -> None:
    """A near name is offered."""
    desk.network(admission=Admission.WINDOW)
    with pytest.raises(OperatorError, match="did you mean lab"):
        desk.write(lambda tx: close_window(tx, "lob", actor=ACTOR))
