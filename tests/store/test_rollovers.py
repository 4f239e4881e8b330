"""Rows of rollovers: sealed, versioned, in order, one running rollover a key domain."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from jrc.errors import ConflictError, StateError
from jrc.policy.rollover import Phase
from jrc.service.registry import Registry
from jrc.service.rollover_records import RolloverCause, WantedRollover
from tests.desk import ACTOR, NOW_MS
from tests.rollovers import Floor
from tests.store.rollover_rows import DRAFT, add, end, node


def test_a_rollover_is_read_back_as_it_was_written(floor: Floor) -> None:
    """Every field, with the number and the version it got."""
    full = replace(
        DRAFT,
        phase=Phase.PAUSED,
        paused_from=Phase.DISTRIBUTING,
        pause_cause="deadline",
        distributing_at_ms=1,
        deadline_at_ms=2,
        switching_at_ms=3,
        guarding_at_ms=4,
    )
    added = add(floor.desk, draft=full)
    assert added == replace(full, id=1, version=1)
    assert added == floor.record()
    assert added == floor.desk.read(lambda tx: tx.rollovers.running(1))
    assert added.course is Phase.DISTRIBUTING


def test_one_rollover_runs_in_a_key_domain(floor: Floor) -> None:
    """The database itself sees to it, also between two registrars."""
    first = add(floor.desk)
    with pytest.raises(ConflictError):
        add(floor.desk)
    end(floor.desk, first)
    second = add(floor.desk).id
    assert [second, first.id] == [
        each.id for each in floor.desk.read(lambda tx: tx.rollovers.latest(1, limit=5))
    ]
    assert [second] == [each.id for each in floor.desk.read(lambda tx: tx.rollovers.all_running())]


def test_a_rollover_that_was_changed_meanwhile_is_not_overwritten(floor: Floor) -> None:
    """Two registrars on one database may look at the same time."""
    before = add(floor.desk)
    floor.desk.write(lambda tx: tx.rollovers.save(before))
    with pytest.raises(ConflictError):
        floor.desk.write(lambda tx: tx.rollovers.save(before))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE rollover SET phase = 'switching'",
        "UPDATE rollover SET quorum = 900",
        "UPDATE rollover SET deadline_s = 1",
        "UPDATE wanted_rollover SET actor = 'x'",
    ],
)
def test_an_edited_row_of_a_rollover_is_noticed(floor: Floor, statement: str) -> None:
    """Its MAC covers every value."""
    add(floor.desk, node(1))
    wanted = WantedRollover(
        domain_id=1, cause=RolloverCause.PERIODIC, actor="jrc", reason="", asked_at_ms=1
    )
    floor.desk.write(lambda tx: tx.rollovers.want(wanted))
    floor.desk.sql(statement)
    with pytest.raises(StateError, match="does not authenticate"):
        floor.desk.read(
            lambda tx: (tx.rollovers.running(1), tx.rollovers.nodes(1), tx.rollovers.wanted(1))
        )


def test_a_damaged_rollover_keeps_no_other_key_domain_waiting(floor: Floor) -> None:
    """What is asked of all of them leaves it out, and the log has it once; asked for, it stops."""
    floor.desk.network("far", b"\xca\xfd", prefix="2001:db8:1::/64")
    for domain in (1, 2):
        add(floor.desk, draft=replace(DRAFT, domain_id=domain))
        wish = WantedRollover(
            domain_id=domain, cause=RolloverCause.PERIODIC, actor="jrc", reason="", asked_at_ms=1
        )
        floor.desk.write(lambda tx, wish=wish: tx.rollovers.want(wish))  # type: ignore[misc]
    floor.desk.sql("UPDATE rollover SET phase = 'switching' WHERE domain_id = 1")
    floor.desk.sql("UPDATE wanted_rollover SET actor = 'x' WHERE domain_id = 1")
    with capture_logs() as log:
        running = [floor.desk.read(lambda tx: tx.rollovers.all_running()) for _ in range(2)]
        wanted = [floor.desk.read(lambda tx: tx.rollovers.all_wanted()) for _ in range(2)]
    assert [[2], [2]] == [[each.id for each in found] for found in running]
    assert [[2], [2]] == [[each.domain_id for each in found] for found in wanted]
    assert ["rollover 1", "wanted_rollover 1"] == [line["row"] for line in log]
    reads: list[Callable[[Registry], object]] = [
        lambda tx: tx.rollovers.running(1),
        lambda tx: tx.rollovers.by_id(1),
        lambda tx: tx.rollovers.wanted(1),
    ]
    for read in reads:
        with pytest.raises(StateError, match="does not authenticate"):
            floor.desk.read(read)


def test_one_wish_a_key_domain_is_remembered(floor: Floor) -> None:
    """The first one asked for new keys, and one rollover is what all of them get."""

    def wish(reason: str) -> WantedRollover:
        cause = RolloverCause.REVOCATION
        return WantedRollover(
            domain_id=1, cause=cause, actor=ACTOR, reason=reason, asked_at_ms=NOW_MS
        )

    floor.desk.write(lambda tx: tx.rollovers.want(wish("stolen")))
    floor.desk.write(lambda tx: tx.rollovers.want(wish("lost")))
    assert [wish("stolen")] == floor.desk.read(lambda tx: tx.rollovers.all_wanted())
    assert wish("stolen") == floor.desk.read(lambda tx: tx.rollovers.wanted(1))
    floor.desk.write(lambda tx: tx.rollovers.forget_wanted(1))
    assert floor.desk.read(lambda tx: tx.rollovers.wanted(1)) is None
