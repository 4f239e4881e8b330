"""A damaged row keeps nobody from being told whom it does not concern, nor from joining."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from jrc.cojp.objects import Configuration
from jrc.errors import StateError
from jrc.service.keying import Keying
from jrc.service.node_orders import throttle_nodes
from jrc.service.outcomes import MAX_EXCHANGE_MS
from jrc.service.registry import Registry
from jrc.service.rollover import start_rollover
from jrc.service.update import Place, Telling, Turned, Want
from jrc.store.policy import load_policy
from tests.desk import ACTOR, Desk, pledge_id
from tests.joining import hall_at
from tests.pushing import PAUSE_MS, RETRY, Bureau, answered, unanswered

JOIN_HALL = bytes.fromhex("a10542beef")
HERE, THERE = (1, 2), (3, 4)
"""Nodes of network lab, and of network hall; both have keys of their own."""
RATE, LATER = 44, 55


def damage(desk: Desk, statement: str) -> None:
    """Change rows behind the registrar's back, to whatever no check of the database lets in."""
    with closing(sqlite3.connect(desk.path, isolation_level=None)) as raw:
        raw.execute("PRAGMA ignore_check_constraints = ON")
        assert raw.execute(statement).rowcount


@pytest.fixture
def bureau(tmp_path: Path) -> Iterator[Bureau]:
    """Joined nodes in two networks; both have a new join rate, and new keys under way."""
    bureau = Bureau(tmp_path)
    bureau.desk.network()
    bureau.desk.network("hall", b"\xbe\xef")
    bureau.join(*HERE)
    with hall_at(bureau.desk) as hall:
        for number in THERE:
            bureau.pledges[number] = hall.enroll(number, networks=("hall",))
            hall.contexts.learn([pledge_id(number).value])
            hall.join(bureau.pledges[number], JOIN_HALL)
    for name in ("lab", "hall"):
        bureau.set(name, join_rate_bytes_per_s=RATE)
    yield bureau
    bureau.desk.close()


def rekey(bureau: Bureau) -> None:
    for name in ("lab", "hall"):
        bureau.desk.write(lambda tx, name=name: start_rollover(tx, name, actor=ACTOR))  # type: ignore[misc]


def told_in(bureau: Bureau, turned: Turned) -> set[tuple[str, int]]:
    return {(update.ref.errand, bureau.number_of(update)) for update in turned.updates}  # type: ignore[attr-defined]


def told(bureau: Bureau, turns: int = 3) -> set[tuple[str, int]]:
    """Errands and the numbers of the pledges that were told something; all take it."""
    found = set()
    for _ in range(turns):
        bureau.desk.now_ms += PAUSE_MS
        turned = bureau.turn()
        found |= told_in(bureau, turned)
        bureau.desk.now_ms += PAUSE_MS
        found |= told_in(bureau, bureau.turn(*map(answered, turned.updates)))
    return found


def all_of(errand: str, *numbers: int) -> set[tuple[str, int]]:
    return {(errand, number) for number in numbers}


def left_out(log: Sequence[Mapping[str, object]]) -> list[object]:
    """The rows and values of which the log says that they are left out."""
    return [line["row"] for line in log if line["event"] == "damaged_row_left_out"]


# Rows without a MAC


NODE_UPDATES = [
    ("throttle", "-108"),
    ("throttle", "'x'"),
    ("attempts", "'x'"),
    ("attempts", "9223372036854775807"),
    ("lease_sent_at_ms", "'x'"),
]


@pytest.mark.parametrize(("column", "value"), NODE_UPDATES)
def test_a_damaged_schedule_keeps_nobody_from_being_told(
    bureau: Bureau, column: str, value: str
) -> None:
    """Its own node included: what is no such value is taken as absent, and said once."""
    identifier = pledge_id(1)
    bureau.desk.write(lambda tx: throttle_nodes(tx, [identifier], 20, actor=ACTOR))
    damage(bureau.desk, f"UPDATE node_update SET {column} = {value} WHERE pledge_id = 1")
    with capture_logs() as log:
        assert all_of("settings", *HERE, *THERE) == told(bureau)
    assert [f"node_update 1: {column}"] == left_out(log)


@pytest.mark.parametrize("value", ["'x'", "x'00'"])
@pytest.mark.parametrize("table", ["node_update", "rollover_node"])
def test_a_damaged_time_is_nobodys_turn(bureau: Bureau, table: str, value: str) -> None:
    """Though it is the only one that is left on the schedule."""
    rekey(bureau)
    bureau.turn()
    bureau.desk.sql(f"DELETE FROM {table} WHERE pledge_id <> 1")
    damage(bureau.desk, f"UPDATE {table} SET next_at_ms = {value}")
    assert isinstance(bureau.turn().next_due_ms, int)


@pytest.mark.parametrize("value", ["'x'", "9223372036854775807"])
def test_a_node_with_a_time_that_never_comes_is_told_by_the_next_process(
    bureau: Bureau, value: str
) -> None:
    """As are those whom a process was telling when it ended."""
    bureau.turn()
    damage(bureau.desk, f"UPDATE node_update SET next_at_ms = {value} WHERE pledge_id = 1")
    bureau.restart()
    assert ("settings", 1) in told(bureau)


@pytest.mark.parametrize("value", ["'x'", "1e300", "9223372036854775807", "-1"])
def test_a_damaged_sleep_keeps_no_outcome_from_being_written(bureau: Bureau, value: str) -> None:
    """The node is taken to be awake (RFC 9031 §8.3)."""
    damage(bureau.desk, f"UPDATE node SET sleep_s = {value} WHERE pledge_id = 1")
    with capture_logs() as log:
        updates = bureau.turn().updates
        bureau.turn(*map(unanswered, updates))
    after_ms = bureau.desk.now_ms + RETRY.after_ms(1, None)
    assert [after_ms] * 4 == [bureau.row(number).next_at_ms for number in (*HERE, *THERE)]
    assert ["node 1: sleep_s"] == left_out(log)


def test_a_damaged_number_of_settings_has_all_of_them_told(bureau: Bureau) -> None:
    """RFC 9031 §8.4.2: what the node has of them is not known."""
    damage(bureau.desk, "UPDATE node SET settings_number = 'x' WHERE pledge_id = 1")
    with hall_at(bureau.desk) as hall:
        known = hall.lookup.find(pledge_id(1).value)[0]
    assert known.standing.place is not None
    assert -1 == known.standing.place.settings_number
    assert all_of("settings", *HERE, *THERE) == told(bureau)
    assert 1 == bureau.place_number(1)


# Whatever one node raises


@pytest.mark.parametrize("error", [StateError, TypeError, ValueError, OverflowError])
def test_what_one_node_raises_keeps_nobody_else_from_being_told(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """It is tried again later; the log has it once."""
    telling = Keying.telling

    def fails_for_the_first(self: Keying, tx: Registry, want: Want, place: Place) -> Telling | None:
        if want.pledge_id == 1:
            raise error("odd")
        return telling(self, tx, want, place)

    rekey(bureau)
    monkeypatch.setattr(Keying, "telling", fails_for_the_first)
    with capture_logs() as log:
        assert all_of("keys", 2, *THERE) == {each for each in told(bureau) if each[0] == "keys"}
        bureau.desk.now_ms += MAX_EXCHANGE_MS
        told(bureau)
    assert [("odd", 1)] == [
        (line["error"], line["number"]) for line in log if line["event"] == "not_told"
    ]
    query = "SELECT last_error FROM rollover_node WHERE pledge_id = 1"
    assert [("damaged",)] == bureau.desk.sql(query)


# Rows that many share

OF_A_DOMAIN = {
    "UPDATE rollover SET quorum = 901 WHERE domain_id = 1": "settings",
    "UPDATE rollover SET phase = 'switching' WHERE domain_id = 1": "settings",
    "UPDATE key_generation SET number = 77 WHERE domain_id = 1 AND state = 'scheduled'": "settings",
    (
        "UPDATE link_layer_key SET key_id = 77 WHERE generation_id ="
        " (SELECT generation_id FROM rollover WHERE domain_id = 1)"
    ): "settings",
    "UPDATE network SET join_rate = 3 WHERE id = 1": "",
    "UPDATE network SET prefix = 'zz' WHERE id = 1": "",
    "UPDATE key_domain SET key_usages = '1' WHERE id = 1": "",
}
"""Damage, and what the nodes of network lab are told nevertheless."""


@pytest.mark.parametrize(("statement", "still"), OF_A_DOMAIN.items())
def test_damage_in_one_key_domain_keeps_no_other_from_being_told(
    bureau: Bureau, statement: str, still: str
) -> None:
    """Keys and settings; in its own, what does not hang on the damaged row."""
    bureau.turn()
    rekey(bureau)
    damage(bureau.desk, statement)
    bureau.restart()
    here = all_of(still, *HERE) if still else set()
    assert here | all_of("keys", *THERE) | all_of("settings", *THERE) == told(bureau)
    # They have not left: once the row is whole again they are told.
    query = "SELECT DISTINCT last_error, state FROM rollover_node WHERE pledge_id < 3"
    assert [("damaged", "unreachable")] == bureau.desk.sql(query)


def test_a_rollover_damaged_while_nodes_are_told_keeps_no_outcome_from_being_written(
    bureau: Bureau,
) -> None:
    """Nothing can be said any more of those that are its own."""
    told(bureau)
    rekey(bureau)
    bureau.desk.now_ms += PAUSE_MS
    updates = bureau.turn().updates
    damage(bureau.desk, "UPDATE rollover SET quorum = 901 WHERE domain_id = 1")
    bureau.desk.write(lambda tx: tx.policy_changed())
    bureau.keying.anew = True
    bureau.turn(*map(answered, updates))
    query = "SELECT count(*) FROM rollover_node WHERE state = 'reached'"
    assert [(len(THERE),)] == bureau.desk.sql(query)
    assert {2} == bureau.keying.touched


# Settings


def test_g02_damaged_settings_are_written_anew_and_told_whole(bureau: Bureau) -> None:
    """RFC 9031 §8.4.2: whatever the node may have been told of them, it has what holds."""
    told(bureau)
    for statement in ("join_rate = 3", "blocked = x'ff'"):
        damage(bureau.desk, f"UPDATE network_settings SET {statement} WHERE network_id = 1")
    bureau.set(join_rate_bytes_per_s=LATER)
    expected = Configuration(join_rate_bytes_per_s=LATER, blocklist=())
    assert dict.fromkeys(HERE, expected) == bureau.told()
    query = "SELECT max(number) FROM network_settings WHERE network_id = 1"
    assert [(2,)] == bureau.desk.sql(query)
    assert 2 == bureau.place_number(1)
    assert {} == bureau.told()


def test_settings_without_a_next_number_keep_no_other_network_from_being_told(
    bureau: Bureau,
) -> None:
    """Their own network's nodes are told keys alone."""
    damage(
        bureau.desk,
        "UPDATE network_settings SET number = 9223372036854775807"
        " WHERE network_id = 1 AND number = 1",
    )
    rekey(bureau)
    with capture_logs() as log:
        expected = all_of("keys", *HERE, *THERE) | all_of("settings", *THERE)
        assert expected == told(bureau)
    assert ["network_settings 1, 9223372036854775807"] == left_out(log)


def test_g02_with_damaged_settings_pledges_join_and_are_told_the_rest(bureau: Bureau) -> None:
    """The registrar starts, and the row keeps nobody out, here or elsewhere."""
    told(bureau)
    damage(bureau.desk, "UPDATE network_settings SET join_rate = 3 WHERE network_id = 1")
    with bureau.desk.database.read(0) as tx, capture_logs() as log:
        policy = load_policy(tx.connection, tx.keyring, tx.mac, 7)
    assert {1, 2} == policy.networks.keys()
    assert left_out(log)[:1] in ([], ["network_settings 1, 1"])
    bureau.desk.write(lambda tx: tx.policy_changed())
    assert RATE == bureau.join(5)[0].join_rate_bytes_per_s
    assert -1 == bureau.place_number(5)
    assert RATE == bureau.told()[5].join_rate_bytes_per_s
    assert bureau.place_number(5) > 1


@pytest.mark.parametrize(
    ("statement", "numbers"),
    [
        ("UPDATE network_settings SET join_rate = 3 WHERE number = 2", []),
        ("UPDATE network_settings SET join_rate = 3 WHERE number = 1", [2]),
        ("DELETE FROM network_settings WHERE number = 1", [2]),
    ],
)
def test_what_was_told_begins_after_what_is_not_known_of_it(
    bureau: Bureau, statement: str, numbers: list[int]
) -> None:
    """So that no node is taken to have less than it may have."""
    bureau.set(join_rate_bytes_per_s=LATER)
    damage(bureau.desk, f"{statement} AND network_id = 1")
    since = bureau.desk.read(lambda tx: tx.pushes.since(1, 0))
    assert numbers == [each.number for each in since]
