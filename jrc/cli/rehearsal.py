"""``jrc rollover start --rehearse``: how long it would take, computed in this process."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from jrc.cli.answers import number, records
from jrc.cojp.exchange import RetransmissionTiming
from jrc.config import Rollover
from jrc.errors import ExitCode, OperatorError
from jrc.policy.pacing import Pace
from jrc.service.outcomes import Retry
from jrc.service.rehearsal import Rehearsal, rehearse
from jrc.service.rehearsal_mesh import Assumptions, Size
from jrc.service.rehearsal_run import Settings
from jrc.service.windows import parse_duration
from jrc.service.wording import parse_share

SHARES: Final = {"loss": "loss", "sleepy": "sleepy", "dead": "dead"}
TIMES: Final = {"sleep": "sleep_s", "awake": "awake_s", "round-trip": "round_trip_s"}
_OF_SLEEP: Final = ("sleep", "awake")
_TAKES: Final = {
    "loss": "a share of 0 to 0.9, such as 0.2 or 20%",
    "sleepy": "a share of 0 to 1, such as 0.1 or 10%",
    "dead": "a share of 0 to 1, such as 0.02 or 2%",
    "sleep": "a time, such as 15m",
    "awake": "a time of 1s at least, such as 30s",
    "round-trip": "a time, such as 5s",
}
_HINT = "write it as loss=20%, dead=0.02, sleepy=10%, sleep=15m, awake=30s or round-trip=5s"


def assumptions(texts: Sequence[str], known: Assumptions) -> Assumptions:
    """What ``--assume NAME=VALUE`` says, the rest as it is known.

    Raises:
        OperatorError: a name is unknown, a value is none or out of bounds, or is for nobody.
    """
    given: dict[str, float] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if name not in _TAKES:
            raise _refused(f"--assume: {name[:64]!r} is not known")
        try:
            field, number = _number(name, value)
            Assumptions(**{field: number})  # type: ignore[arg-type]  # a number, as its fields are
        except ValueError:
            said = f"--assume {name} takes {_TAKES[name]}, and not {value[:64]!r}"
            raise _refused(said) from None
        given[field] = number
    return _together(known, given)


def _number(name: str, value: str) -> tuple[str, float]:
    """The field of an assumption, and its value."""
    if name in SHARES:
        return SHARES[name], parse_share(value) / 1000
    return TIMES[name], float(parse_duration(value))


def _together(known: Assumptions, given: Mapping[str, float]) -> Assumptions:
    try:
        found = replace(known, **given)  # type: ignore[arg-type]  # as above
    except ValueError as error:
        raise _refused(f"--assume sleepy and dead: {error}") from None
    idle = [name for name in _OF_SLEEP if TIMES[name] in given]
    if idle and not found.sleepy:
        raise OperatorError(
            f"--assume {idle[0]} is of nodes that sleep, and there are none",
            "say with --assume sleepy=10% how many there are (a share of 0 to 1), or leave it out",
            exit_code=ExitCode.USAGE,
        )
    return found


def _refused(said: str) -> OperatorError:
    return OperatorError(said, _HINT, exit_code=ExitCode.USAGE)


def rehearsal_of(size: Mapping[str, object], section: Rollover, texts: Sequence[str]) -> Rehearsal:
    """A rehearsal for networks of this ``size`` (of the API); ``texts`` are of ``--assume``.

    Raises:
        OperatorError: something is assumed that can't be.
    """
    usages = size["key_usages"]
    assert isinstance(usages, list)
    settings = Settings(
        key_usages=tuple(usages),
        timing=RetransmissionTiming(
            section.ack_timeout_s, section.random_factor, section.max_retransmit
        ),
        pace=Pace(section.rate_bytes_per_s, section.in_flight),
        retry=Retry(section.retry_s, section.retry_max_s),
        quorum_permille=number(size["quorum_permille"]),
        deadline_s=number(size["deadline_s"]),
        guard_time_s=section.guard_time_s,
    )
    sizes = [Size(**_numbers(each)) for each in records(size["networks"])]
    return rehearse(sizes, settings, assumptions(texts, _known(size, sizes)))


def _known(size: Mapping[str, object], sizes: Sequence[Size]) -> Assumptions:
    """What the database knows of nodes that sleep; the rest is as is usual."""
    nodes = sum(each.nodes for each in sizes)
    sleepy, sleep_s = size["sleepy"], size["sleep_s"]
    if not isinstance(sleepy, int) or not isinstance(sleep_s, int) or not nodes:
        return Assumptions()
    return Assumptions(sleepy=sleepy / nodes, sleep_s=sleep_s)


def _numbers(network: Mapping[str, object]) -> dict[str, int]:
    names = ("nodes", "border_routers", "must_join")
    return {name: value for name in names if isinstance(value := network[name], int)}
