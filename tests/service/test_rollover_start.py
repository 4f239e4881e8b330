"""What a rollover begins with: fresh keys, free ids, whoever has joined; and what stops it."""

import pytest

from jrc.errors import ExitCode, OperatorError, StateError
from jrc.model import KeySetState
from jrc.policy.rollover import Phase
from jrc.service.key_domains import key_ids_in_use
from jrc.service.rollover import (
    KEPT_ROLLOVERS,
    NewRollover,
    start_in_domain,
    start_rollover,
)
from jrc.service.rollover_records import RolloverCause, RolloverSettings
from jrc.store.registry import StoreRegistry
from tests.desk import ACTOR, NOW_MS, Desk
from tests.rollovers import Floor, floor_at

HOUR_MS = 3_600_000


def values(desk: Desk) -> list[object]:
    return [value for (value,) in desk.sql("SELECT fingerprint FROM link_layer_key ORDER BY id")]


# --- Starting -----------------------------------------------------------------------------------


def test_d05_every_rollover_has_keys_and_ids_of_its_own(floor: Floor) -> None:
    """Values come from the generator and are never an old one; ids go on upwards."""
    for number in range(1, 4):
        floor.start()
        floor.to_done(number)
    assert 4 == len(set(values(floor.desk)))
    assert [(1,), (2,), (3,), (4,)] == floor.desk.sql("SELECT key_id FROM link_layer_key")


def test_d03_a_generator_that_repeats_itself_starts_nothing(floor: Floor) -> None:
    """A value that was ever used, in whatever domain, is no new key."""
    seed = bytes(range(16))
    floor.desk.database.random = lambda count: seed[:count]
    floor.start()
    floor.abort()
    with pytest.raises(StateError, match="used before"):
        floor.start()
    assert {1: "current", 2: "aborted"} == floor.generations()


def test_of_two_operators_one_starts_it(floor: Floor) -> None:
    """The other gets a sentence that names the first, and nothing of his is left."""
    floor.start()
    with pytest.raises(OperatorError, match=r"has a rollover already.*cli:uid=1000") as refusal:
        floor.desk.write(lambda tx: start_rollover(tx, "lab", actor="cli:uid=1001"))
    assert ExitCode.REFUSED is refusal.value.exit_code
    assert "jrc rollover watch lab" in refusal.value.hint
    assert {1: "current", 2: "scheduled"} == floor.generations()


def test_a_domain_without_keys_has_nothing_to_change(floor: Floor) -> None:
    """Such as one whose keys were retired by hand."""
    floor.desk.write(lambda tx: tx.keysets.retire_all(1))
    with pytest.raises(OperatorError, match="has no keys in force"):
        floor.start()


def test_d05_ids_of_aborted_keys_are_not_given_until_a_later_rollover_has_ended(
    floor: Floor,
) -> None:
    """Who was told them and is asleep may still have them (RFC 9031 §8.4.3.2)."""

    def in_use() -> set[int]:
        return floor.desk.read(lambda tx: key_ids_in_use(tx.keysets.generations(1)))

    floor.start()
    floor.abort()
    assert in_use() == {1, 2}
    floor.start()
    assert in_use() == {1, 2, 3}
    floor.to_done(2)
    assert in_use() == {3}


def test_d05_where_key_ids_run_out_nothing_is_started(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids of aborted keys are in use until a later rollover is done; a sentence says what to do."""
    monkeypatch.setattr("jrc.service.key_domains.key_ids_for", lambda _: frozenset({1, 2}))
    floor.start()
    floor.abort()
    with pytest.raises(OperatorError, match="1 new key ids are needed, and 0 of 2 are free"):
        floor.start()
    assert floor.desk.read(lambda tx: tx.rollovers.running(1)) is None
    assert {1: "current", 2: "aborted"} == floor.generations()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (RolloverSettings(quorum_permille=899), "quorum: .* 0.9 to 1 .* not 0.899"),
        (RolloverSettings(quorum_permille=1001), "quorum"),
        (RolloverSettings(deadline_s=0), "deadline: 0 s does not lie in 1 s"),
        (RolloverSettings(deadline_s=10**9), "deadline"),
    ],
)
def test_settings_out_of_bounds_are_refused(
    floor: Floor, settings: RolloverSettings, said: str
) -> None:
    """The floor of the share is an overwhelming majority (RFC 9031 §8.4.3.1)."""
    with pytest.raises(OperatorError, match=said) as refusal:
        floor.start(settings)
    assert ExitCode.USAGE is refusal.value.exit_code
    assert refusal.value.hint


def test_a_planned_rollover_waits_for_its_time(floor: Floor) -> None:
    """Nobody is told before, whatever the process."""
    shown = floor.start(not_before_ms=NOW_MS + HOUR_MS)
    assert ("planned", "2026-11-30T01:53:20.000Z", None) == (
        shown.phase,
        shown.begins,
        shown.distributing,
    )
    floor.desk.now_ms += HOUR_MS - 1
    assert floor.advance() is Phase.PLANNED
    assert [] == floor.due()
    floor.desk.now_ms += 1
    assert floor.advance() is Phase.DISTRIBUTING
    assert [1, 2, 3] == floor.due()


def test_a_time_that_has_passed_means_at_once(floor: Floor) -> None:
    """The time between is no reason to refuse."""
    assert "distributing" == floor.start(not_before_ms=NOW_MS - 1).phase


def test_m01_networks_that_share_keys_switch_together(desk: Desk) -> None:
    """One rollover, started from either, with the nodes of both."""
    desk.network("yard", b"\xca\xff", key_domain="lab")
    with floor_at(desk, 1, 0, key_domain="lab") as floor:
        more = floor.hall.enroll(2, networks=("yard",))
        floor.hall.join(more, bytes.fromhex("a10542caff"))
        shown = desk.write(lambda tx: start_rollover(tx, "yard", actor=ACTOR))
        assert ("yard", ("lab", "yard")) == (shown.network, shown.networks)
        assert [1, 2] == floor.due()
        assert 1 == floor.status().id
        assert [(None,)] == desk.sql("SELECT network FROM event WHERE kind = 'rollover.started'")


def test_keys_with_a_key_source_get_followers_with_the_same(desk: Desk) -> None:
    """Devices that were given keys of Key ID Mode 2 go on with it (RFC 9031 §8.4.3.3)."""
    desk.network()
    desk.sql("UPDATE link_layer_key SET key_addinfo = x'01020304'")

    def reseal(tx: StoreRegistry) -> None:
        keysets = tx.keysets
        keysets._save_state(keysets._rows(1)[0], keysets._keys(1)[1], KeySetState.CURRENT)

    desk.write(reseal)  # type: ignore[arg-type]
    desk.write(lambda tx: start_rollover(tx, "lab", actor=ACTOR))
    assert [(b"\1\2\3\4",), (b"\1\2\3\4",)] == desk.sql("SELECT key_addinfo FROM link_layer_key")


def test_old_rollovers_leave_their_counts_alone_behind(floor: Floor) -> None:
    """A row a node for each night would fill the disk."""
    for number in range(1, KEPT_ROLLOVERS + 3):
        floor.start()
        floor.to_done(number)
    kept = floor.desk.sql("SELECT DISTINCT rollover_id FROM rollover_node ORDER BY 1")
    assert [(number,) for number in range(2, KEPT_ROLLOVERS + 3)] == kept


def test_keys_that_must_not_wait_are_in_force_from_the_start(floor: Floor) -> None:
    """Such as those for a 6LBR that may count its slots anew (row E7); then everybody is told."""
    wanted = NewRollover(cause=RolloverCause.BORDER_ROUTER, actor="jrc", switched=True)
    record = floor.desk.write(lambda tx: start_in_domain(tx, 1, wanted))
    assert (Phase.SWITCHING, NOW_MS) == (record.phase, record.switching_at_ms)
    assert {1: "previous", 2: "current"} == floor.generations()
    assert [1, 2, 3, 4] == floor.due()
    floor.tell(only={4})
    assert floor.advance() is Phase.GUARDING
    assert floor.advance(guard_over=True) is Phase.GUARDING, "6LNs are told before the end"
    floor.tell()
    assert floor.advance(guard_over=True) is Phase.DONE
