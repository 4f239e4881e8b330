"""What joined nodes are told besides keys, when and how often (RFC 9031 §8.4.2, §8.4.4)."""

from ipaddress import IPv6Address
from typing import Any

import pytest

from jrc.cojp.codec import encode_unsupported
from jrc.cojp.constants import CoapCode
from jrc.cojp.objects import Configuration, UnsupportedParameter
from jrc.model import Profile
from jrc.policy.settings import UNLIMITED_BYTES_PER_S
from jrc.service import pushing
from jrc.service.enroll import remove_pledge
from jrc.service.node_settings import settings_changed
from jrc.service.pushing import LOOK_MS
from jrc.service.registry import Registry
from jrc.service.update import Room, turn
from jrc.store.registry import StoreRegistry
from tests.desk import ACTOR, pledge_id
from tests.pushing import HOUR_MS, RETRY, Bureau, answered, asks_for_a_turn, unanswered

JRC = IPv6Address("2001:db8:5::1")


# Settings


def test_nobody_is_told_anything_that_has_not_changed(bureau: Bureau) -> None:
    """A Join Response says it all."""
    bureau.join(1, 2)
    bureau.join(9, role=1)
    assert {} == bureau.told()
    assert () == bureau.look().updates
    assert [] == bureau.desk.sql("SELECT * FROM node_update")


def test_g02_a_changed_join_rate_is_told_by_update(bureau: Bureau) -> None:
    """Zero included; the acknowledged one is noted (RFC 9031 §8.4.2)."""
    bureau.join(1)
    for rate in (100, 0):
        bureau.set(join_rate_bytes_per_s=rate)
        assert {1: Configuration(join_rate_bytes_per_s=rate)} == bureau.told()
    assert (2, 2) == (bureau.place_number(), len(bureau.events("node.configured")))
    assert {} == bureau.told()


def test_after_a_long_look_changes_are_looked_for_together(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import commits many times a second, and each look reads every node."""
    now_s, looks_s = 1000.0, [0.5]

    def slow(tx: Registry, network_id: int) -> bool:
        nonlocal now_s
        now_s += looks_s[0]
        return settings_changed(tx, network_id)

    monkeypatch.setattr(pushing, "settings_changed", slow)
    bureau.join(1)
    bureau.pushing = pushing.Pushing(RETRY, bureau.facts, lambda: now_s)
    bureau.errands = (bureau.keying, bureau.pushing)
    bureau.set(join_rate_bytes_per_s=100)
    assert {1: Configuration(join_rate_bytes_per_s=100)} == bureau.told()
    for rate in (50, 60, 70):
        bureau.set(join_rate_bytes_per_s=rate)
        assert {} == bureau.told()
    due_ms = bureau.desk.read(bureau.pushing.next_due_ms)
    assert due_ms == bureau.desk.now_ms + 1000 * pushing.RESTS * looks_s[0]
    now_s += pushing.RESTS * looks_s[0]
    looks_s[0] = 0.01
    assert {1: Configuration(join_rate_bytes_per_s=70)} == bureau.told()
    bureau.set(join_rate_bytes_per_s=80)
    assert {1: Configuration(join_rate_bytes_per_s=80)} == bureau.told(), "short looks need no rest"
    looks_s[0] = 60.0
    bureau.set(join_rate_bytes_per_s=90)
    assert {1: Configuration(join_rate_bytes_per_s=90)} == bureau.told()
    bureau.desk.now_ms += 2 * LOOK_MS
    due_ms = bureau.desk.read(bureau.pushing.next_due_ms)
    assert due_ms == bureau.desk.now_ms + 1000 * pushing.MOST_REST_S, "bounded, and not over yet"


def test_g02_a_limit_that_is_lifted_is_told_as_a_number(bureau: Bureau) -> None:
    """An update without label 7 may mean no limit, or nothing (RFC 9031 §8.4.2)."""
    bureau.set(join_rate_bytes_per_s=100)
    bureau.join(1)
    bureau.set(join_rate_bytes_per_s=None)
    bureau.join(2)
    found = bureau.told()
    assert {1: Configuration(join_rate_bytes_per_s=UNLIMITED_BYTES_PER_S)} == found


def test_g02_a_limit_that_may_have_arrived_is_lifted(bureau: Bureau) -> None:
    """It was sent, and never acknowledged."""
    bureau.join(1)
    bureau.set(join_rate_bytes_per_s=100)
    (update,) = bureau.turn().updates
    bureau.set(join_rate_bytes_per_s=None)
    bureau.turn(unanswered(update))
    bureau.desk.now_ms = bureau.row().next_at_ms or 0
    assert {1: Configuration(join_rate_bytes_per_s=UNLIMITED_BYTES_PER_S)} == bureau.told()


def test_what_an_update_may_take_back_by_silence_it_says(bureau: Bureau) -> None:
    """RFC 9031 §8.4.2 gives a missing address and a missing rate a meaning."""
    bureau.set(jrc_address=JRC, join_rate_bytes_per_s=100)
    bureau.join(1)
    bureau.set(join_rate_bytes_per_s=50)
    expected = Configuration(jrc_address=JRC.packed, join_rate_bytes_per_s=50)
    assert {1: expected} == bureau.told()
    other = IPv6Address("2001:db8:5::2")
    bureau.set(jrc_address=other)
    expected = Configuration(jrc_address=other.packed, join_rate_bytes_per_s=50)
    assert {1: expected} == bureau.told()


def test_an_address_that_is_taken_away_is_not_told(bureau: Bureau) -> None:
    """No update can say so."""
    bureau.set(jrc_address=JRC)
    bureau.join(1)
    bureau.set(jrc_address=None)
    assert {} == bureau.told()
    assert 2 == bureau.place_number()


def test_what_changes_back_in_time_is_still_told(bureau: Bureau) -> None:
    """The node may have got what was sent to it in between."""
    bureau.set(join_rate_bytes_per_s=10)
    bureau.join(1)
    bureau.set(join_rate_bytes_per_s=20)
    bureau.turn()
    bureau.set(join_rate_bytes_per_s=10)
    bureau.restart()
    assert {1: Configuration(join_rate_bytes_per_s=10)} == bureau.told()


def test_who_takes_no_updates_is_told_nothing(bureau: Bureau) -> None:
    """Not once, and not again and again."""
    bureau.join(1, profile=Profile.OPENWSN)
    bureau.set(join_rate_bytes_per_s=10)
    assert {} == bureau.told()
    assert [] == bureau.desk.sql("SELECT * FROM node_update")


# How it ends


def test_who_does_not_answer_is_tried_again_ever_more_seldom(bureau: Bureau) -> None:
    """As long as it sleeps, at least."""
    bureau.join(1)
    bureau.set(join_rate_bytes_per_s=1)
    waits = []
    for attempt in range(4):
        (update,) = bureau.turn().updates
        bureau.desk.sql("UPDATE node SET sleep_s = :s", s=None if attempt < 3 else 9000)
        bureau.turn(unanswered(update))
        next_ms = bureau.row().next_at_ms
        assert next_ms is not None
        waits.append((next_ms - bureau.desk.now_ms) // 1000)
        bureau.desk.now_ms = next_ms
    assert [300, 600, 1200, 9000] == waits
    assert ("no_answer", 4) == (bureau.row().last_error, bureau.row().attempts)


def test_c07_what_a_node_cannot_act_upon_is_left_out_the_next_time(bureau: Bureau) -> None:
    """Reported with null (RFC 9031 §8.4.5)."""
    bureau.set(jrc_address=JRC)
    bureau.join(1)
    bureau.set(join_rate_bytes_per_s=5)
    bureau.desk.pledge(100, networks=("lab",))
    bureau.revoke(100)
    (update,) = bureau.turn().updates
    refused = encode_unsupported((UnsupportedParameter(0, 6),))
    bureau.turn(answered(update, CoapCode.BAD_REQUEST, refused))
    assert "4.00 can't act upon label 6" == bureau.row().last_error
    bureau.desk.now_ms += 1000
    expected = Configuration(jrc_address=JRC.packed, join_rate_bytes_per_s=5)
    assert {1: expected} == bureau.told()


def test_c07_a_node_that_can_act_upon_nothing_is_left_alone(bureau: Bureau) -> None:
    """It counts as told."""
    bureau.join(1)
    bureau.set(join_rate_bytes_per_s=5)
    (update,) = bureau.turn().updates
    refused = encode_unsupported((UnsupportedParameter(0, 7),))
    bureau.turn(answered(update, CoapCode.BAD_REQUEST, refused))
    bureau.desk.now_ms += 1000
    assert {} == bureau.told()
    assert (1, None) == (bureau.place_number(), bureau.row().next_at_ms)


def test_another_error_ends_it_until_there_is_something_new(bureau: Bureau) -> None:
    """The node is not asked the same again and again; its word is shown."""
    bureau.join(1)
    bureau.set(join_rate_bytes_per_s=5)
    (update,) = bureau.turn().updates
    bureau.turn(answered(update, CoapCode.NOT_FOUND))
    bureau.desk.now_ms += 100 * HOUR_MS
    assert {} == bureau.told()
    assert ("4.04", 1) == (bureau.row().last_error, bureau.row().refused_number)
    assert 1 == len(bureau.events("node.refused"))
    bureau.set(join_rate_bytes_per_s=6)
    assert [1] == list(bureau.told())


def test_an_answer_counts_only_for_what_the_node_has_now(bureau: Bureau) -> None:
    """It has joined again meanwhile, and got what a Join Response says."""
    bureau.join(1)
    bureau.desk.pledge(100, networks=("lab",))
    bureau.revoke(100)
    (update,) = bureau.turn().updates
    bureau.join(1)
    bureau.turn(answered(update))
    assert (-2, "joined again") == (bureau.place_number(), bureau.row().last_error)
    bureau.desk.now_ms += 1000
    assert [1] == list(bureau.told())


def test_an_exchange_that_a_process_has_not_ended_is_begun_anew(bureau: Bureau) -> None:
    """By the next process, at once."""
    bureau.join(1)
    bureau.set(join_rate_bytes_per_s=5)
    (first,) = bureau.turn().updates
    bureau.restart()
    (second,) = bureau.turn().updates
    assert first.numbers.reserved <= second.numbers.first


def test_an_update_of_a_pledge_that_is_removed_meanwhile_ends_quietly(bureau: Bureau) -> None:
    """All that was known of it is gone; the others' outcomes are written."""
    bureau.join(1, 2)
    bureau.set(join_rate_bytes_per_s=5)
    updates = bureau.turn().updates
    bureau.desk.write(lambda tx: remove_pledge(tx, pledge_id(1), actor=ACTOR))
    bureau.turn(*map(answered, updates))
    assert bureau.row(2).acknowledged_at_ms == bureau.desk.now_ms


def test_a_damaged_context_keeps_nobody_else_from_being_told(bureau: Bureau) -> None:
    """Its own node is tried again later."""
    bureau.join(1, 2)
    bureau.set(join_rate_bytes_per_s=5)
    bureau.desk.sql(
        "UPDATE context_state SET highest = highest + 1 WHERE context_id IN"
        " (SELECT id FROM context WHERE pledge_id = :p)",
        p=bureau.row_number(1),
    )
    assert [2] == list(bureau.told())
    assert "damaged" == bureau.row(1).last_error


def test_many_nodes_are_looked_at_in_pieces(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is forgotten."""
    monkeypatch.setattr("jrc.service.pushing.LOOK_LIMIT", 3)
    bureau.join(*range(1, 9))
    bureau.set(join_rate_bytes_per_s=5)
    counts = []
    for _ in range(4):
        turned = bureau.turn()
        counts.append(len(turned.updates))
        bureau.open |= {update.node: update.network for update in turned.updates}
    assert [3, 3, 2, 0] == counts


def test_a_look_that_only_reads_finds_what_joins_have_changed(bureau: Bureau) -> None:
    """Nothing is written while there is nothing to tell."""
    bureau.desk.pledge(100, networks=("lab",))
    bureau.join(1)
    bureau.revoke(100)
    bureau.told()
    bureau.turn()
    for _ in range(3):
        bureau.desk.now_ms += LOOK_MS
        assert not asks_for_a_turn(bureau)
    bureau.join(1)
    assert not asks_for_a_turn(bureau)
    bureau.desk.now_ms += LOOK_MS
    assert asks_for_a_turn(bureau)


def test_a_clock_that_is_set_back_keeps_nobody_waiting(bureau: Bureau) -> None:
    """It was a year ahead when the next look was set."""
    bureau.turn()
    bureau.pushing._look_at_ms += 365 * 24 * HOUR_MS
    bureau.join(1)
    bureau.desk.sql("UPDATE node SET settings_number = -1")
    assert asks_for_a_turn(bureau)


def test_a_look_whose_transaction_failed_is_taken_again(bureau: Bureau) -> None:
    """What it has put on the schedule is not there."""
    bureau.join(1)
    bureau.turn()
    bureau.set(join_rate_bytes_per_s=5)

    def fail(tx: Registry) -> None:
        turn(tx, bureau.errands, (), Room({}, 64, 64), bureau.facts)
        raise KeyError

    with pytest.raises(KeyError):
        bureau.desk.write(fail)
    assert () == bureau.turn().updates
    bureau.pushing.look_again()
    assert [1] == list(bureau.told())


def test_a_turn_that_finds_nobody_reads_the_schedule_alone(bureau: Bureau) -> None:
    """What nobody needs costs the telling of keys nothing: one statement to ask whether."""
    bureau.join(1)
    bureau.turn()
    statements: list[str] = []

    def ask(tx: Registry) -> None:
        assert isinstance(tx, StoreRegistry)
        asked: Any = tx.pushes._connection.connection
        asked.set_trace_callback(statements.append)
        bureau.pushing.next_due_ms(tx)
        asked.set_trace_callback(None)

    bureau.desk.read(ask)
    asked = [each for each in statements if "FROM instance" not in each]
    assert 1 == len(asked), asked
    assert "LIMIT 1" in asked[0]
