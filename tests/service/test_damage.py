"""The operator's way out where a pledge's rows do not authenticate: seen, taken out, added anew."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict

import pytest

from jrc.errors import OperatorError, Reason, StateError
from jrc.model import PledgeState, Secret, ShortIdRange
from jrc.service.applicants import Applicant
from jrc.service.enroll import add_pledge, plan_removal, remove_pledge
from jrc.service.event_check import verify_stretch
from jrc.service.events import list_events
from jrc.service.examine import OnConflict
from jrc.service.import_rows import Row, RowError
from jrc.service.imports import Import
from jrc.service.network_reports import list_networks, show_network
from jrc.service.networks import plan_network_removal, remove_network
from jrc.service.pledges import PledgeReport, list_pledges, show_pledge
from jrc.service.records import Damage
from jrc.service.reports import clear_reports
from jrc.service.revoking import plan_revocation, restore_pledge, revoke_pledge
from jrc.service.survey import survey
from tests.daemon.wire import OddPledge
from tests.desk import ACTOR, Desk, pledge_id
from tests.joining import JOIN, Hall, hall_at, lease_row, next_generation

KEY = bytes.fromhex("8c1d5f0ba7e34296d8317cb05efa6921")
NEW_KEY = bytes.fromhex("51e0a94c7d3826fb90c2146de85fb37a")
NAME = pledge_id(1)

ROW = [
    "UPDATE pledge SET state = 'qrovisioned' WHERE id = 1",
    "UPDATE pledge SET state = 'revoked' WHERE id = 1",
    "UPDATE pledge SET state = 'removed' WHERE id = 1",
    "UPDATE pledge SET state = x'ff' WHERE id = 1",
    "UPDATE pledge SET state_before_revocation = 'x' WHERE id = 1",
    "UPDATE pledge SET role = 1 WHERE id = 1",
    "UPDATE pledge SET role = 'a' WHERE id = 1",
    "UPDATE pledge SET label = 'south' WHERE id = 1",
    "UPDATE pledge SET label = CAST(x'eeff' AS TEXT) WHERE id = 1",
    "UPDATE pledge SET label = x'00ff' WHERE id = 1",
    "UPDATE pledge SET profile = 'rfc9030' WHERE id = 1",
    "UPDATE pledge SET credential_id = 2 WHERE id = 1",
    "UPDATE pledge SET credential_id = NULL WHERE id = 1",
    "UPDATE pledge SET supersedes_id = 2 WHERE id = 1",
    "UPDATE pledge SET created_at_ms = created_at_ms + (1 << 60) WHERE id = 1",
    "UPDATE pledge SET updated_at_ms = 'never' WHERE id = 1",
    "UPDATE pledge SET version = version + (1 << 61) WHERE id = 1",
    "UPDATE pledge SET mac = 'text' WHERE id = 1",
    "UPDATE pledge_network SET network_id = 9 WHERE pledge_id = 1",
    "DELETE FROM pledge_network WHERE pledge_id = 1",
]
WINDOW = [
    "UPDATE context_state SET seen = 7 WHERE context_id = 1",
    "UPDATE context_state SET highest = 'x' WHERE context_id = 1",
    "UPDATE context_state SET joined_at_ms = 1 << 60 WHERE context_id = 1",
    "UPDATE context_state SET answer = x'00' WHERE context_id = 1",
    "DELETE FROM context_state WHERE context_id = 1",
]
SHORT_IDENTIFIER = [
    "UPDATE short_identifier SET value = 70000 WHERE pledge_id = 1",
    "UPDATE short_identifier SET value = 'x' WHERE pledge_id = 1",
    "UPDATE short_identifier SET value = value + 1 WHERE pledge_id = 1",
    "UPDATE short_identifier SET domain_id = 9 WHERE pledge_id = 1",
    "UPDATE short_identifier SET last_generation = 0 WHERE pledge_id = 1",
    "UPDATE short_identifier SET last_generation = 'x' WHERE pledge_id = 1",
    "UPDATE short_identifier SET lease_until_ms = 1 << 60 WHERE pledge_id = 1",
    "UPDATE short_identifier SET released_at_ms = 5 WHERE pledge_id = 1",
    "UPDATE short_identifier SET version = 'x' WHERE pledge_id = 1",
    "UPDATE short_identifier SET version = 9223372036854775807 WHERE pledge_id = 1",
]
ALL = [
    *((statement, Damage.ROW) for statement in ROW),
    *((statement, Damage.WINDOW) for statement in WINDOW),
    *((statement, Damage.SHORT_IDENTIFIER) for statement in SHORT_IDENTIFIER),
]
TAMPERED = [
    "UPDATE pledge SET role = 1, label = 'south', profile = 'openwsn' WHERE id = 1",
    "UPDATE pledge SET state_before_revocation = 'provisioned', credential_id = 2 WHERE id = 1",
    "UPDATE pledge_network SET network_id = 9 WHERE pledge_id = 1",
]
HIDDEN = "state = 'removed'"
"""A listing leaves such a row out; whoever asks for it by name is told."""


@pytest.fixture
def hall(desk: Desk) -> Iterator[Hall]:
    """A registrar with two pledges that have joined."""
    desk.network()
    with hall_at(desk) as opened:
        for number, key in ((1, KEY), (2, bytes(reversed(KEY)))):
            opened.join(opened.enroll(number, key=key, label="north"))
        yield opened


def damage(desk: Desk, statement: str) -> None:
    """What a flipped bit or a hand does to a row."""
    for pragma in ("ignore_check_constraints = ON", "foreign_keys = OFF"):
        desk.database.writer.connection.connection.execute(f"PRAGMA {pragma}")
    desk.sql(statement)
    desk.write(lambda tx: tx.policy_changed())
    desk.database.writer.connection.connection.execute("PRAGMA foreign_keys = ON")


def device(key: bytes = KEY, first: int = 100) -> OddPledge:
    """The damaged pledge, counting from a number it has not used."""
    return OddPledge(NAME.value, key, first)


def add(desk: Desk, key: bytes, on: OnConflict = OnConflict.FAIL) -> str:
    who = Applicant(identifier=NAME, keys=Secret(key))
    return desk.write(lambda tx: add_pledge(tx, who, actor=ACTOR, on_conflict=on)).outcome


def listed(desk: Desk, state: PledgeState | None = None) -> list[PledgeReport]:
    return desk.read(lambda tx: list_pledges(tx, state=state))


def assert_silent(hall: Hall, key: bytes = KEY) -> None:
    hall.contexts.forget_all()
    assert hall.ask(device(key).request(JOIN)) is None


# Looking


@pytest.mark.parametrize(("statement", "what"), ALL)
def test_a_damaged_pledge_is_listed_and_shown_as_such_and_the_others_as_ever(
    hall: Hall, statement: str, what: Damage
) -> None:
    """Whatever its columns hold; a sentence says what is damaged and what to do about it."""
    damage(hall.desk, statement)
    json.dumps([asdict(report) for report in listed(hall.desk)], ensure_ascii=False).encode()
    found = {report.pledge_id: (report.state, report.damaged) for report in listed(hall.desk)}
    expected = {str(NAME): ("damaged", True), str(pledge_id(2)): ("joined", False)}
    if HIDDEN in statement:
        del expected[str(NAME)]
    assert expected == found
    details = hall.desk.read(lambda tx: show_pledge(tx, NAME))
    json.dumps(asdict(details), ensure_ascii=False).encode()
    assert ("damaged", True) == (details.pledge.state, details.pledge.damaged)
    assert details.damage is not None
    assert f"its {what} does not authenticate: `jrc pledge remove {NAME}`" in details.damage
    assert hall.desk.read(lambda tx: show_pledge(tx, pledge_id(2))).damage is None


def test_all_that_is_damaged_is_named(hall: Hall) -> None:
    """One sentence for several."""
    for statement in (ROW[5], WINDOW[0], SHORT_IDENTIFIER[4]):
        damage(hall.desk, statement)
    details = hall.desk.read(lambda tx: show_pledge(tx, NAME))
    assert details.damage is not None
    assert "its row, replay window and short identifier do not authenticate" in details.damage


@pytest.mark.parametrize("statement", ROW[:4])
def test_one_damaged_row_does_not_keep_status_and_networks_from_being_shown(
    hall: Hall, statement: str
) -> None:
    """A daemon looks at these figures by itself, and must not end by them."""
    damage(hall.desk, statement)
    assert sum(hall.desk.read(survey).pledges.values()) == 1 + (HIDDEN not in statement)
    assert ["lab"] == [network.name for network in hall.desk.read(list_networks)]


def test_a_state_that_is_no_state_is_counted_as_damaged(hall: Hall) -> None:
    """Every pledge is counted once."""
    damage(hall.desk, ROW[0])
    assert {"damaged": 1, "joined": 1} == hall.desk.read(survey).pledges


def test_pledges_can_be_listed_by_the_state_damaged(hall: Hall) -> None:
    """And no other state lists them; pages are full all the same."""
    for number in range(3, 9):
        hall.enroll(number)
    for number in (1, 3, 5):
        damage(hall.desk, f"UPDATE pledge SET label = 'x' WHERE id = {number}")
    ids = [int(report.pledge_id, 16) & 0xFF for report in listed(hall.desk, PledgeState.DAMAGED)]
    assert [1, 3, 5] == ids
    assert [str(pledge_id(2))] == [r.pledge_id for r in listed(hall.desk, PledgeState.JOINED)]
    page = hall.desk.read(lambda tx: list_pledges(tx, state=PledgeState.PROVISIONED, limit=2))
    assert [str(pledge_id(4)), str(pledge_id(6))] == [report.pledge_id for report in page]


@pytest.mark.parametrize("value", ["x''", "'abc'", "zeroblob(300)"])
def test_an_identifier_that_is_none_does_not_break_a_listing(hall: Hall, value: str) -> None:
    """Nobody can name it, and what comes after it is listed; so are plans that concern it."""
    damage(hall.desk, f"UPDATE pledge SET identifier = {value} WHERE id = 1")
    assert {"damaged", "joined"} == {report.state for report in listed(hall.desk)}
    assert 2 == hall.desk.read(lambda tx: plan_network_removal(tx, "lab")).count


def test_a_revoked_pledge_with_a_damaged_window_is_shown_as_revoked(hall: Hall) -> None:
    """Its own row says so and authenticates; the damage is told besides."""
    hall.act(revoke_pledge)
    damage(hall.desk, WINDOW[0])
    (report,) = listed(hall.desk, PledgeState.REVOKED)
    assert ("revoked", True) == (report.state, report.damaged)
    done = hall.desk.write(lambda tx: restore_pledge(tx, NAME, actor=ACTOR))
    assert "damaged" == done.state
    assert_silent(hall)


# What is refused


@pytest.mark.parametrize("statement", ROW)
def test_nothing_but_removal_works_on_a_row_that_does_not_authenticate(
    hall: Hall, statement: str
) -> None:
    """It would be sealed anew with what was changed in it; the way on is named."""
    damage(hall.desk, statement)
    before = hall.desk.sql("SELECT * FROM pledge")
    commands: list[Callable[..., object]] = [revoke_pledge, restore_pledge, clear_reports]
    for command in commands:
        with pytest.raises(OperatorError, match="its row does not authenticate") as refusal:
            hall.desk.write(lambda tx, command=command: command(tx, NAME, actor=ACTOR))  # type: ignore[misc]
        assert f"`jrc pledge remove {NAME}`" in refusal.value.hint
    with pytest.raises(OperatorError, match="does not authenticate"):
        hall.desk.read(lambda tx: plan_revocation(tx, [NAME]))
    for on in OnConflict:
        with pytest.raises(OperatorError, match="its row does not authenticate") as refusal:
            add(hall.desk, NEW_KEY, on)
        assert f"`jrc pledge remove {NAME}`" in refusal.value.hint
    assert before == hall.desk.sql("SELECT * FROM pledge")
    assert_silent(hall)


def test_a_damaged_record_is_never_sealed(hall: Hall) -> None:
    """Whoever tries has made a mistake, and nothing is written."""
    damage(hall.desk, ROW[5])
    with pytest.raises(StateError, match="does not authenticate"):
        hall.desk.write(lambda tx: tx.pledges.save(tx.pledges.find([NAME.value])[NAME.value]))
    with pytest.raises(StateError, match="does not authenticate"):
        hall.desk.read(lambda tx: tx.pledges.by_id(1))


def test_an_import_names_the_damaged_pledge_and_takes_the_others(hall: Hall) -> None:
    """A row of its own in the list of errors."""
    damage(hall.desk, ROW[5])
    rows: list[Row | RowError] = [
        Row(line, {"pledge_id": str(pledge_id(number)), "psk": os.urandom(16).hex()})
        for line, number in ((2, 1), (3, 7))
    ]
    load = Import("f.csv", actor=ACTOR, partial=True)
    for step in (load.begin, lambda tx: load.stage(tx, rows), load.finish):
        hall.desk.write(step)
    (error,) = load.report.errors
    assert (2, "pledge_id") == error[:2]
    assert "does not authenticate" in error[2]
    assert (1, True) == (load.report.added, load.report.published)


@pytest.mark.parametrize("statement", [*WINDOW[::2], *SHORT_IDENTIFIER[::3]])
def test_a_pledge_with_a_good_row_can_be_revoked_and_stays_silent_when_restored(
    hall: Hall, statement: str
) -> None:
    """Neither command mends anything."""
    damage(hall.desk, statement)
    hall.act(revoke_pledge)
    hall.act(restore_pledge)
    assert "damaged" == listed(hall.desk)[0].state
    assert_silent(hall)


# Removing


@pytest.mark.parametrize(("statement", "what"), ALL)
def test_a_damaged_pledge_is_removed_and_comes_back_with_a_new_key_alone(
    hall: Hall, statement: str, what: Damage
) -> None:
    """Row M3: a tombstone, fingerprints kept, silence until the new key is there."""
    damage(hall.desk, statement)
    assert f"its {what} does not" in hall.desk.read(lambda tx: plan_removal(tx, NAME)).sentences[0]
    done = hall.desk.write(lambda tx: remove_pledge(tx, NAME, actor=ACTOR))
    assert ("removed", True) == (done.state, done.changed)
    last = hall.desk.read(lambda tx: list_events(tx, pledge=NAME))[-1]
    assert ("pledge.removed", {"damaged": [what.value]}) == (last.kind, last.detail)
    assert_silent(hall)
    with pytest.raises(OperatorError, match="was removed: it can't come back"):
        add(hall.desk, KEY)
    assert "returned" == add(hall.desk, NEW_KEY)
    hall.contexts.learn([NAME.value])
    assert_silent(hall, KEY)
    assert hall.join(device(NEW_KEY)).short_identifier is not None
    assert [("joined", False)] * 2 == [(r.state, r.damaged) for r in listed(hall.desk)]
    assert hall.desk.read(verify_stretch).intact


@pytest.mark.parametrize("statement", TAMPERED)
def test_m03_the_tombstone_of_a_damaged_pledge_takes_nothing_over(
    hall: Hall, statement: str
) -> None:
    """Role, networks and label may be what somebody wanted them to be."""
    damage(hall.desk, statement)
    hall.act(remove_pledge)
    columns = "state, state_before_revocation, role, label, profile, credential_id, import_id"
    assert [("removed", None, 0, "", None, None, None)] == hall.desk.sql(
        f"SELECT {columns} FROM pledge WHERE id = 1"
    )
    assert [(0,)] == hall.desk.sql("SELECT count(*) FROM pledge_network WHERE pledge_id = 1")
    assert [("removed", None, b"")] == hall.desk.sql(
        "SELECT state, wrapped_secret, wrapped_keys FROM credential"
        " JOIN context ON credential_id = credential.id WHERE credential.pledge_id = 1"
    )
    assert [(1,)] == hall.desk.sql("SELECT count(*) FROM context_kid")


def test_a_damaged_tombstone_can_be_made_whole(hall: Hall) -> None:
    """Else its identifier could never be added again."""
    hall.act(remove_pledge)
    damage(hall.desk, "UPDATE pledge SET version = 9 WHERE id = 1")
    with pytest.raises(OperatorError, match="does not authenticate"):
        add(hall.desk, NEW_KEY)
    hall.act(remove_pledge)
    with pytest.raises(OperatorError, match="was removed: it can't come back"):
        add(hall.desk, KEY)
    assert "returned" == add(hall.desk, NEW_KEY)


def test_a_pledge_that_damage_has_moved_into_a_discarded_import_is_found(hall: Hall) -> None:
    """It is not taken for one that is still being imported."""
    hall.desk.sql("INSERT INTO import_batch VALUES (1, 'f.csv', 'a', '', 'discarded', 1, NULL, 0)")
    damage(hall.desk, "UPDATE pledge SET import_id = 1 WHERE id = 1")
    assert hall.desk.read(lambda tx: show_pledge(tx, NAME)).pledge.damaged
    hall.act(remove_pledge)
    assert "returned" == add(hall.desk, NEW_KEY)


def test_a_sound_pledge_is_removed_without_a_word_of_damage(hall: Hall) -> None:
    """The detail is for those that were damaged."""
    assert "forgotten" in hall.desk.read(lambda tx: plan_removal(tx, NAME)).sentences[0]
    hall.act(remove_pledge)
    assert "damaged" not in hall.desk.read(lambda tx: list_events(tx, pledge=NAME))[-1].detail


# Short identifiers


@pytest.mark.parametrize("statement", SHORT_IDENTIFIER[4:])
def test_f03_a_damaged_identifier_stays_burned_until_the_keys_are_retired(
    desk: Desk, statement: str
) -> None:
    """RFC 9031 §8.4.4.1: its row may lie about the keys it went out with."""
    desk.network(short_ids=ShortIdRange(0x80, 0x80))
    with hall_at(desk) as hall:
        assert 0x80 == hall.short_id(hall.enroll(1, key=KEY))
        damage(desk, statement)
        hall.act(remove_pledge)
        other = hall.enroll(2)
        assert hall.ask(other.request(JOIN)) is None
        assert {Reason.NO_SHORT_IDENTIFIER: 1} == hall.metrics.drops
        next_generation(desk, retire=True)
        assert 0x80 == hall.short_id(other)


def test_an_identifier_given_back_in_a_damaged_row_is_buried_too(hall: Hall) -> None:
    """The join path reads each row of a pledge, so one of them would keep it silent for ever."""
    pledge = hall.enroll(3, key=NEW_KEY[::-1])
    lease_row(hall.desk, 0x7F00, 3, 1, released=True)
    damage(hall.desk, "UPDATE short_identifier SET last_generation = 9 WHERE value = 0x7f00")
    assert hall.ask(pledge.request(JOIN)) is None
    hall.act(remove_pledge, 3)
    again = hall.enroll(3, key=NEW_KEY)
    assert 0x7F00 == hall.short_id(again)


@pytest.mark.parametrize("statement", SHORT_IDENTIFIER[1::3])
def test_a_network_is_removed_though_an_identifier_in_it_is_damaged(
    hall: Hall, statement: str
) -> None:
    """The damaged row stays as it is: its value is taken, and its pledge silent."""
    damage(hall.desk, statement)
    before = hall.desk.sql("SELECT * FROM short_identifier WHERE pledge_id = 1")
    hall.desk.network("hall", b"\xbe\xef", key_domain="lab")
    hall.desk.write(lambda tx: remove_network(tx, "lab", actor=ACTOR, agreed=True))
    assert before == hall.desk.sql("SELECT * FROM short_identifier WHERE pledge_id = 1")
    sound = "SELECT released_at_ms FROM short_identifier WHERE pledge_id = 2"
    assert [(hall.desk.now_ms,)] == hall.desk.sql(sound)
    assert hall.desk.read(lambda tx: show_network(tx, "hall")).joined == 0


def test_a_move_to_another_network_does_not_mend_a_damaged_identifier(hall: Hall) -> None:
    """Only who is removed gets a clean sheet, for only then the key is a new one."""
    hall.desk.network("hall", b"\xbe\xef")
    damage(hall.desk, SHORT_IDENTIFIER[4])
    who = Applicant(identifier=NAME, keys=Secret(KEY), networks=("hall",))
    replace = OnConflict.REPLACE
    hall.desk.write(lambda tx: add_pledge(tx, who, actor=ACTOR, on_conflict=replace))
    assert "damaged" == listed(hall.desk)[0].state
    assert hall.ask(device().request(bytes.fromhex("a10542beef"))) is None
