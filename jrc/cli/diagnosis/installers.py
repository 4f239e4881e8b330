"""Installers: programs that hand link-layer keys to a border router that is no CoJP node."""

from collections.abc import Iterator, Mapping

from jrc.cli.checks import check_networks, check_programs, other_owner
from jrc.cli.diagnosis.case import Case
from jrc.cli.diagnosis.verdict import Verdict, success, warning


def look_at_installers(case: Case) -> Iterator[Verdict]:
    """Their programs are there; what became of their last run is the daemon's to tell."""
    if not case.settings.installer:
        yield success("none is configured")
        return
    check_programs(case.settings)
    yield success("the program of each can be run")
    if case.daemon.status is not None:
        yield from judge_runs(case.daemon.part("installers"))
    if case.settings.database.file is not None and other_owner(case.settings) is None:
        for sentence in check_networks(case.settings, case.settings.database.file):
            yield warning(sentence, "start the daemon, or run any command of `jrc network`")


def judge_runs(told: Mapping[str, object]) -> Iterator[Verdict]:
    """A warning for each that has not handed the keys over: the old ones are still in use."""
    for name, run in told.items():
        if not isinstance(run, dict):
            continue
        if run.get("error"):
            yield warning(
                f"{name} has failed {run.get('failures')} times: {run['error']}",
                "try its program by hand; the daemon tries it again by itself",
            )
        else:
            yield success(f"{name} is {run.get('state')}")
