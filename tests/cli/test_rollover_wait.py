"""Waiting for a rollover: exit codes, and what it costs the daemon."""

import math
from typing import Any

import pytest

from jrc.cli.client import Api, Query
from jrc.cli.patience import RETRY_S, Patient, TimeIsUp
from jrc.cli.reporting import INTERRUPTED
from jrc.cli.rollover_wait import LOOK_EVERY_S, Watcher, wait_for
from jrc.errors import ExitCode, OperatorError

PAGE = 500


class Clock:
    """Time that passes where somebody waits."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.rests: list[float] = []

    def sleep(self, pause_s: float) -> None:
        self.now_s += pause_s
        self.rests.append(pause_s)


class Daemon(Api):
    """A daemon whose rollover is in the next of ``phases`` at each look; None is no daemon."""

    def __init__(self, *phases: str | None, nodes: int = 3, wanted: str | None = None) -> None:
        self._phases = list(phases)
        self._nodes = nodes
        self.wanted = wanted
        self.asked: list[dict[str, Any]] = []
        self.fetched = 0

    def get(self, path: str, query: Query | None = None) -> dict[str, object]:
        assert path == "/v1/rollovers/lab"
        self.asked.append(dict(query or {}))
        if (query or {}).get("limit") != 0:
            return self._page(int((query or {}).get("after", 0)))
        phase = self._phases.pop(0) if len(self._phases) > 1 else self._phases[0]
        if phase is None:
            raise OperatorError("broken off", exit_code=ExitCode.UNREACHABLE)
        if phase == "refused":
            raise OperatorError("no such network", exit_code=ExitCode.FAILED)
        if phase == "interrupted":
            raise KeyboardInterrupt
        ended = "2026-11-21T16:00:00.000Z" if phase in ("done", "aborted") else None
        return {"id": 7, "phase": phase, "ended": ended, "wanted": self.wanted}

    def _page(self, after: int) -> dict[str, object]:
        last = min(self._nodes, after + PAGE)
        self.fetched += last - after
        nodes = [{"pledge_id": f"{n:x}", "state": "pending"} for n in range(after, last)]
        return {"nodes": nodes, "next": last if last < self._nodes else None}


class Shown:
    """A screen that remembers."""

    def __init__(self) -> None:
        self.phases: list[object] = []

    def show(self, status: Any, nodes: Any) -> None:
        self.phases.append(status["phase"])


def _wait(
    daemon: Daemon, *, for_s: float = math.inf, number: int | None = 7
) -> tuple[int, Shown, Clock]:
    clock, shown = Clock(), Shown()
    patient = Patient(daemon, for_s, sleep=clock.sleep, now_s=lambda: clock.now_s)
    watcher = Watcher(patient, "lab", number, now_s=lambda: clock.now_s)
    return wait_for(watcher, shown)[0], shown, clock


@pytest.mark.parametrize(
    ("last", "code"),
    [("done", ExitCode.DONE), ("paused", ExitCode.UNFINISHED), ("aborted", ExitCode.FAILED)],
)
def test_the_exit_code_says_how_it_ended(last: str, code: ExitCode) -> None:
    """A paused one waits for a person, so the command does not."""
    found, shown, clock = _wait(Daemon("distributing", "switching", last))
    assert (found, shown.phases) == (code, ["distributing", "switching", last])
    assert clock.rests == [LOOK_EVERY_S] * 2


def test_a_time_that_is_over_leaves_it_running(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 5, and how to look at it."""
    found, _, clock = _wait(Daemon("distributing"), for_s=3.5)
    assert (found, sum(clock.rests)) == (ExitCode.UNFINISHED, 3.5)
    said = capsys.readouterr().err
    assert said.startswith("lab: not finished in the time that was given; the rollover goes on")
    assert "`jrc rollover watch lab`" in said


def test_ctrl_c_leaves_it_running_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 130, as shells have it."""
    assert _wait(Daemon("distributing", "interrupted"))[0] == INTERRUPTED
    assert capsys.readouterr().err.startswith("lab: the rollover goes on without this command")


def test_a_restart_of_the_daemon_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    """And waited for."""
    found, shown, clock = _wait(Daemon("distributing", None, None, None, "done"))
    assert (found, shown.phases) == (0, ["distributing", "done"])
    assert capsys.readouterr().err == (
        "the daemon has gone; this goes on when it is back\nthe daemon is back\n"
    )
    assert clock.rests == [LOOK_EVERY_S, *[RETRY_S] * 3]


def test_a_daemon_that_stays_away_uses_the_time_up() -> None:
    """As any other delay."""
    assert _wait(Daemon("distributing", None), for_s=60)[0] == ExitCode.UNFINISHED


def test_a_refusal_is_no_reason_to_wait() -> None:
    """The network may have been removed."""
    with pytest.raises(OperatorError, match="no such network"):
        _wait(Daemon("distributing", "refused"))


def test_one_rollover_is_waited_for_by_its_number() -> None:
    """Whatever is wanted next, and whatever runs by then."""
    daemon = Daemon("distributing", "done", wanted="revocation")
    assert _wait(daemon, for_s=60)[0] == 0
    assert {each["id"] for each in daemon.asked} == {7}


def test_without_a_number_all_that_is_wanted_is_waited_for() -> None:
    """A revocation's rollover may begin when another one has ended."""
    daemon = Daemon("aborted", "aborted", wanted="revocation")
    clock, shown = Clock(), Shown()

    def sleep(pause_s: float) -> None:
        clock.sleep(pause_s)
        if len(clock.rests) == 2:
            daemon.wanted = None
            daemon._phases = ["distributing", "done"]

    patient = Patient(daemon, sleep=sleep, now_s=lambda: clock.now_s)
    code, _ = wait_for(Watcher(patient, "lab", now_s=lambda: clock.now_s), shown)
    assert (code, shown.phases) == (0, ["aborted", "aborted", "distributing", "done"])


@pytest.mark.parametrize(("nodes", "most"), [(200, 200), (10_000, 1000)])
def test_the_nodes_of_a_large_network_are_fetched_less_often(nodes: int, most: int) -> None:
    """A second costs so many rows at most; each change of the phase fetches them all."""
    looks = 100
    daemon = Daemon(*["distributing"] * looks, "done", nodes=nodes)
    _wait(daemon)
    assert 2 * nodes <= daemon.fetched <= most * looks + 2 * nodes


def test_time_is_up_before_a_rest_and_not_after_it() -> None:
    """So that nothing is looked at late."""
    clock = Clock()
    patient = Patient(Daemon("done"), 2, sleep=clock.sleep, now_s=lambda: clock.now_s)
    patient.rest(5)
    assert clock.rests == [2]
    with pytest.raises(TimeIsUp):
        patient.rest(5)


def _replaced(wanted: str | None = None) -> Daemon:
    """A daemon whose rollover 7 is aborted, and which has another one by then."""

    class Other(Daemon):
        def get(self, path: str, query: Query | None = None) -> dict[str, object]:
            found = super().get(path, query)
            if "id" in (query or {}) or wanted:
                return found
            return {**found, "id": 8, "phase": "done", "cause": "revocation"}

    return Other("distributing", "aborted", wanted=wanted)


def test_one_that_another_replaces_is_aborted_whatever_becomes_of_the_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 1, since these keys are never used; a sentence says how to see the other."""
    assert _wait(_replaced(), for_s=60)[0] == ExitCode.FAILED
    assert capsys.readouterr().err == (
        "lab: another rollover (revocation) has taken its place, and is done;"
        " `jrc rollover watch lab` shows it\n"
    )
    assert _wait(_replaced("revocation"), for_s=60)[0] == ExitCode.FAILED
    assert "lab: another rollover (revocation) takes its place;" in capsys.readouterr().err
    assert _wait(Daemon("distributing", "aborted"))[0] == ExitCode.FAILED
    assert capsys.readouterr().err == ""
