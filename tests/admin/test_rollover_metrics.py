"""Rollovers, updates and the keys' age in Prometheus' text."""

from collections.abc import Sequence

from jrc.admin.rollover_metrics import OUTCOMES, RolloverCollector, UpdateCounts
from jrc.policy.rollover import NodeState, Phase
from jrc.service.rollover_figures import RolloverFigures
from tests.admin.scraped import samples_of

NOW_MS = 1_800_000_000_000


def _samples(
    figures: Sequence[RolloverFigures] = (), updates: UpdateCounts | None = None
) -> dict[str, float]:
    """All samples by name and labels."""
    counts = UpdateCounts() if updates is None else updates
    return samples_of(RolloverCollector(lambda: figures, lambda: counts, lambda: NOW_MS))


def test_of_all_phases_one_is_1() -> None:
    """The others are 0, so that a change is seen as one."""
    found = _samples([RolloverFigures(network="lab", phase=Phase.SWITCHING)])
    phases = {name: value for name, value in found.items() if name.startswith("jrc_rollover_phase")}
    assert phases == {
        f'jrc_rollover_phase{{network="lab",phase="{phase.value}"}}': int(phase is Phase.SWITCHING)
        for phase in Phase
    }


def test_nodes_are_counted_by_state() -> None:
    """A state that no node is in is 0 and not absent."""
    nodes = {NodeState.REACHED: 7, NodeState.UNREACHABLE: 1}
    found = _samples([RolloverFigures(network="lab", phase=Phase.DISTRIBUTING, nodes=nodes)])
    counted = {k: v for k, v in found.items() if k.startswith("jrc_rollover_nodes")}
    assert len(counted) == len(NodeState)
    assert counted['jrc_rollover_nodes{network="lab",state="reached"}'] == 7
    assert counted['jrc_rollover_nodes{network="lab",state="unreachable"}'] == 1
    assert counted['jrc_rollover_nodes{network="lab",state="refused"}'] == 0


def test_times_are_seconds_and_an_end_is_absent_while_one_runs() -> None:
    """As Prometheus has it."""
    running = RolloverFigures(network="lab", phase=Phase.GUARDING, started_at_ms=NOW_MS - 1500)
    over = RolloverFigures(
        network="hall", phase=Phase.DONE, started_at_ms=NOW_MS - 9000, ended_at_ms=NOW_MS
    )
    found = _samples([running, over])
    assert found['jrc_rollover_started_timestamp_seconds{network="lab"}'] == (NOW_MS - 1500) / 1000
    assert 'jrc_rollover_ended_timestamp_seconds{network="lab"}' not in found
    assert found['jrc_rollover_ended_timestamp_seconds{network="hall"}'] == NOW_MS / 1000


def test_the_age_of_keys_is_as_of_now_and_never_negative() -> None:
    """A network without any rollover has one as well, and nothing else."""
    found = _samples(
        [
            RolloverFigures(network="lab", keys_since_ms=NOW_MS - 60_000),
            RolloverFigures(network="hall", keys_since_ms=NOW_MS + 5000),
        ]
    )
    assert found['jrc_network_key_age_seconds{network="lab"}'] == 60
    assert found['jrc_network_key_age_seconds{network="hall"}'] == 0
    assert not [name for name in found if name.startswith("jrc_rollover")]


def test_updates_are_counted_by_how_they_end() -> None:
    """Each way to end is there from the start; datagrams count repeated ones."""
    found = _samples(updates=UpdateCounts())
    assert {k for k in found if k.startswith("jrc_updates_total")} == {
        f'jrc_updates_total{{outcome="{outcome}"}}' for outcome in OUTCOMES
    }
    outcomes = {"acknowledged": 2, "no_answer": 1}
    found = _samples(updates=UpdateCounts(outcomes=outcomes, in_flight=3, datagrams=8))
    assert found['jrc_updates_total{outcome="acknowledged"}'] == 2
    assert found['jrc_updates_total{outcome="no_answer"}'] == 1
    assert found['jrc_updates_total{outcome="refused"}'] == 0
    assert found["jrc_updates_in_flight"] == 3
    assert found["jrc_update_datagrams_total"] == 8
