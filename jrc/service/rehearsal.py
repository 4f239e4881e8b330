"""How long a rollover of a network of this size would take, before one is started.

Some runs of the real machine under virtual time (``rehearsal_run.py``), with what is assumed of the
network said beside every result. Nothing is sent and nothing is written.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, inf
from typing import Final

from jrc.service.rehearsal_mesh import Assumptions, Size, update_bytes
from jrc.service.rehearsal_run import HORIZON_S, Outcome, Run, Settings
from jrc.service.wording import counted, listed

RUNS: Final = 5
MILESTONES: Final = (500, 900, 990, 1000)
"""Of a thousand 6LNs; when so many are reached."""
MAX_DATAGRAMS: Final = 1_000_000
"""Of all runs; it takes about ten seconds. What loses nearly everything is rehearsed less often."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of some runs, in the middle and at the worst; None where it never came to that."""

    median: float | None
    worst: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """When so many of the 6LNs that are told are reached; seconds from the start."""

    permille: int
    nodes: int
    at_s: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What a rollover would come to; times are seconds from its start.

    ``distributed_s`` is when the switch begins, ``switched_s`` when each 6LBR has the new keys,
    ``done_s`` when the old ones are retired. ``unreached`` are 6LNs at the end, which get the keys
    when they join again; ``unreached_at_switch`` are those that the switch cuts off. ``paused``
    counts the runs that the deadline paused, ``unfinished`` those that never ended. ``datagrams``
    and ``bytes`` of CoAP go both ways, in all networks. All of it rests on what is ``assumed``, in
    sentences, and on what the operator has ``configured``.
    """

    nodes: int
    border_routers: int
    must_join: int
    runs: int
    seed: int
    distributed_s: Figure
    switched_s: Figure
    done_s: Figure
    milestones: tuple[Milestone, ...]
    unreached: Figure
    unreached_at_switch: Figure
    datagrams: Figure
    bytes: Figure
    paused: int
    unfinished: int
    assumed: tuple[str, ...]
    configured: tuple[str, ...]


def rehearse(
    sizes: Sequence[Size],
    settings: Settings,
    assumptions: Assumptions | None = None,
    *,
    runs: int = RUNS,
    seed: int = 1,
    max_datagrams: int = MAX_DATAGRAMS,
) -> Rehearsal:
    """Rehearse a rollover of a key domain's networks; the same seed gives the same result.

    ``runs`` at most: fewer where all have more than ``max_datagrams``, but one.
    """
    assumed = assumptions or Assumptions()
    outcomes = _outcomes(sizes, settings, assumed, runs, seed, max_datagrams)
    nodes = sum(size.nodes for size in sizes)
    border_routers = sum(size.border_routers for size in sizes)

    def figure(of: Callable[[Outcome], float | None]) -> Figure:
        return _figure(map(of, outcomes))

    return Rehearsal(
        nodes=nodes,
        border_routers=border_routers,
        must_join=sum(size.must_join for size in sizes),
        runs=len(outcomes),
        seed=seed,
        distributed_s=figure(lambda run: run.distributed_s),
        switched_s=figure(lambda run: run.switched_s),
        done_s=figure(lambda run: run.done_s),
        milestones=tuple(_milestones(nodes, outcomes)),
        unreached=figure(lambda run: nodes - len(run.reached_s)),
        unreached_at_switch=figure(
            lambda run: None if run.distributed_s is None else nodes - run.reached_at_switch
        ),
        datagrams=figure(lambda run: run.datagrams),
        bytes=figure(lambda run: run.bytes),
        paused=sum(run.paused_s is not None for run in outcomes),
        unfinished=sum(run.done_s is None for run in outcomes),
        assumed=tuple(_assumed(assumed)),
        configured=tuple(_configured(settings)),
    )


def _outcomes(
    sizes: Sequence[Size],
    settings: Settings,
    assumed: Assumptions,
    runs: int,
    seed: int,
    left: int,
) -> list[Outcome]:
    outcomes: list[Outcome] = []
    while len(outcomes) < runs:
        # Chance that anybody may guess: no secret comes of it, and a rehearsal can be repeated.
        chance = random.Random(f"{seed}/{len(outcomes)}")  # noqa: S311
        outcome = Run(sizes, settings, assumed, chance, left).go()
        left -= outcome.datagrams
        if left <= 0 and outcomes:
            break
        outcomes.append(outcome)
    return outcomes


def _figure(numbers: Iterable[float | None]) -> Figure:
    ordered = sorted(inf if number is None else number for number in numbers)
    median, worst = ordered[len(ordered) // 2], ordered[-1]
    return Figure(None if median == inf else median, None if worst == inf else worst)


def _milestones(nodes: int, outcomes: Sequence[Outcome]) -> Iterator[Milestone]:
    for permille in MILESTONES:
        needed = ceil(nodes * permille / 1000)
        if needed:
            at = [
                run.reached_s[needed - 1] if len(run.reached_s) >= needed else None
                for run in outcomes
            ]
            yield Milestone(permille=permille, nodes=needed, at_s=_figure(at))


def _assumed(assumed: Assumptions) -> Iterator[str]:
    """What nobody has measured."""
    yield (
        f"{_percent(assumed.loss)} of the datagrams are lost in each direction, each for itself;"
        f" an answer takes {time_text(assumed.round_trip_s)}"
    )
    yield (
        f"{_percent(assumed.sleepy)} of the 6LNs sleep for {time_text(assumed.sleep_s)}, then hear"
        f" what comes within {time_text(assumed.awake_s)}, and are known to sleep"
        " (`jrc node set --sleeps`)"
        if assumed.sleepy
        else "no 6LN sleeps"
    )
    yield f"{_percent(assumed.dead)} of the 6LNs are dead" if assumed.dead else "no 6LN is dead"
    yield "each 6LBR takes updates, is awake and alive; installers are not rehearsed"
    yield "where no 6LBR is told by update, an installer or a 6LBR that joins begins at once"
    yield "no node refuses, joins again or leaves meanwhile, and the links carry what is sent"
    yield (
        "where the deadline passes with too few, the operator says `resume --anyway` at once"
        if assumed.goes_on_anyway
        else "where the deadline passes with too few, nobody lets it go on"
    )


def _configured(settings: Settings) -> Iterator[str]:
    pace, timing = settings.pace, settings.timing
    yield (
        f"{pace.bytes_per_s} bytes a second and {counted(pace.in_flight, 'exchange')} at once in"
        f" each network; an update has {update_bytes(settings.key_usages)} bytes"
    )
    yield (
        f"ACK_TIMEOUT {time_text(timing.ack_timeout_s)} to"
        f" {time_text(timing.ack_timeout_s * timing.random_factor)},"
        f" {counted(timing.max_retransmit, 'retransmission')}; another attempt after"
        f" {time_text(settings.retry.first_s)}, doubling to {time_text(settings.retry.most_s)}"
    )
    yield (
        f"quorum {settings.quorum_permille / 1000:g}, deadline {time_text(settings.deadline_s)},"
        f" guard time {time_text(settings.guard_time_s)}"
    )


def sentences(found: Rehearsal) -> tuple[str, ...]:
    """A rehearsal for people: what would happen, then each thing that it rests on."""
    return (
        *_course(found),
        *(f"assumed: {each}" for each in found.assumed),
        *(f"configured: {each}" for each in found.configured),
    )


def _course(found: Rehearsal) -> Iterator[str]:
    runs = counted(found.runs, "run")
    told = listed((counted(found.nodes, "6LN"), counted(found.border_routers, "6LBR")))
    yield f"nothing was sent; {told} would be told; the middle of {runs}:"
    if found.must_join:
        yield f"{counted(found.must_join, '6LN')} more must join again or have a new image"
    for each in found.milestones:
        yield f"{each.permille / 10:g} % of the 6LNs ({each.nodes}) reached: {_times(each.at_s)}"
    if found.paused:
        yield f"the deadline passes with too few in {found.paused} of {runs}"
    yield f"the 6LBRs are told from: {_times(found.distributed_s)}"
    yield f"every 6LBR has the new keys: {_times(found.switched_s)}"
    yield f"old keys retired, done: {_times(found.done_s)}"
    yield f"6LNs not reached at the switch: {_numbers(found.unreached_at_switch)}"
    yield f"datagrams: {_numbers(found.datagrams)}; bytes of CoAP: {_numbers(found.bytes)}"
    if found.unfinished:
        yield (
            f"{found.unfinished} of {runs} came to no end: they wait for the operator, or take more"
            f" than {time_text(HORIZON_S)} or {MAX_DATAGRAMS} datagrams"
        )


def _numbers(figure: Figure) -> str:
    return _both(*("-" if each is None else str(each) for each in (figure.median, figure.worst)))


def _times(figure: Figure) -> str:
    return _both(time_text(figure.median), time_text(figure.worst))


def _both(median: str, worst: str) -> str:
    return median if median == worst else f"{median}, at worst {worst}"


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


_UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def time_text(seconds: float | None) -> str:
    """``2 h 5 min 3 s``; below a minute with tenths; ``never`` for None."""
    if seconds is None:
        return "never"
    if seconds < 60:
        return f"{round(seconds, 1):g} s"
    left, parts = round(seconds), []
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        parts.append(f"{count} {unit}" if count else "")
    return " ".join(filter(None, parts))
