"""The state of things, as Prometheus reads it."""

import platform

import pytest

from jrc.admin.build_metrics import BuildCollector
from jrc.admin.state_metrics import (
    CacheFill,
    ChainFigures,
    SealedCollector,
    StateCollector,
    StateFigures,
)
from jrc.service.key_notices import KeyNotice
from jrc.service.recovery_store import RecoveryCounts
from jrc.service.survey import Survey
from tests.admin.scraped import samples_of

_PAUSED = KeyNotice(networks=("hall", "lab"), wants_operator=True, sentence="", look="")
_UNDER_WAY = KeyNotice(networks=("lab",), wants_operator=False, sentence="", look="")
SURVEY = Survey(
    networks=("hall", "lab"),
    pledges={"joined": 3, "revoked": 1},
    network_pledges={"lab": {"joined": 3, "revoked": 1}},
    short_ids={"hall": 0x8000, "lab": 10},
    short_ids_left={"hall": 0x7FFF, "lab": 1},
    low=("lab",),
    key_notices=(_PAUSED, _UNDER_WAY),
    recovering=RecoveryCounts(5, 2),
    key_warnings=("one", "two"),
    events=1234,
    last_events_ms={"backup.made": 1_800_000_000_500},
)
FIGURES: dict[str, object] = {
    "ready": True,
    "quarantined": False,
    "clock_doubted": False,
    "clock_behind_ms": 0,
    "updates_hindered": False,
    "is_conductor": True,
    "listen_waiting": 0,
    "survey": SURVEY,
    "chain": ChainFigures(True, None),
    "caches": [CacheFill("contexts", 7, 10)],
    "rollover_every_s": 0.0,
}


def samples(**changed: object) -> dict[str, float]:
    """The samples, by name and labels as they are written."""
    figures = StateFigures(**{**FIGURES, **changed})  # type: ignore[arg-type]
    return samples_of(StateCollector(lambda: figures))


@pytest.mark.parametrize(
    ("field", "metric"),
    [
        ("ready", "jrc_ready"),
        ("quarantined", "jrc_quarantined"),
        ("clock_doubted", "jrc_clock_doubted"),
        ("updates_hindered", "jrc_updates_hindered"),
        ("is_conductor", "jrc_conductor"),
    ],
)
def test_a_condition_is_1_while_it_is_so(field: str, metric: str) -> None:
    """And 0 else, so that an alert sees it go."""
    assert (0.0, 1.0) == tuple(samples(**{field: so})[metric] for so in (False, True))


def test_each_state_of_a_pledge_is_there_in_all_and_by_network() -> None:
    """Also those that nobody is in, and a network without pledges."""
    found = samples()
    assert 3.0 == found['jrc_pledges{state="joined"}']
    assert 0.0 == found['jrc_pledges{state="waiting"}']
    assert 1.0 == found['jrc_network_pledges{network="lab",state="revoked"}']
    assert 0.0 == found['jrc_network_pledges{network="hall",state="joined"}']
    assert 7 == len([name for name in found if name.startswith("jrc_pledges{")])


def test_what_is_left_stands_beside_what_there_is() -> None:
    """Short identifiers by their range, caches by their bound."""
    found = samples()
    assert 1.0 == found['jrc_short_identifiers_left{network="lab"}']
    assert 10.0 == found['jrc_short_identifiers_range{network="lab"}']
    assert 7.0 == found['jrc_cache_entries{cache="contexts"}']
    assert 10.0 == found['jrc_cache_capacity{cache="contexts"}']


def test_notices_that_want_a_person_count_in_each_of_their_networks() -> None:
    """A rollover that goes well is none; whoever can't do App. B.2 is told from who waits."""
    found = samples()
    assert 1.0 == found['jrc_network_key_notices{network="lab"}']
    assert 1.0 == found['jrc_network_key_notices{network="hall"}']
    assert 2.0 == found["jrc_key_warnings"]
    assert 3.0 == found['jrc_pledges_recovering{outlook="waiting"}']
    assert 2.0 == found['jrc_pledges_recovering{outlook="unable"}']


def test_the_audit_log_is_said_to_be_intact_or_not() -> None:
    """With the time when all of it was; a kind of event that never was is absent."""
    found = samples()
    assert (1234.0, 1.0) == (found["jrc_events"], found["jrc_event_chain_intact"])
    assert "jrc_event_chain_verified_timestamp_seconds" not in found
    assert 1_800_000_000.5 == found['jrc_event_last_timestamp_seconds{kind="backup.made"}']
    assert 1 == sum(name.startswith("jrc_event_last") for name in found)
    broken = samples(chain=ChainFigures(False, 1500))
    assert 0.0 == broken["jrc_event_chain_intact"]
    assert 1.5 == broken["jrc_event_chain_verified_timestamp_seconds"]


def test_times_are_seconds() -> None:
    """How far the clock is behind, and how often keys are to be changed, if ever."""
    found = samples(clock_behind_ms=1500, rollover_every_s=86_400.0)
    assert 1.5 == found["jrc_clock_behind_seconds"]
    assert 86_400.0 == found["jrc_rollover_interval_seconds"]
    assert "jrc_rollover_interval_seconds" not in samples()


def test_a_sealed_registrar_says_so() -> None:
    """And that it answers nobody; where it is not sealed that is said as well."""
    assert {"jrc_ready": 0.0, "jrc_sealed": 1.0} == samples_of(SealedCollector())
    assert 0.0 == samples()["jrc_sealed"]


def test_the_build_names_what_runs() -> None:
    """Version, Python's, schema and kind of database."""
    python = platform.python_version()
    wanted = f'database="sqlite",python="{python}",schema="0001",version="1.2.3"'
    found = samples_of(BuildCollector("1.2.3", "0001", "sqlite"))
    assert {f"jrc_build_info{{{wanted}}}": 1.0} == found
