"""Installers: what gives link-layer keys to a border router that is no CoJP node."""

import asyncio
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from jrc.cli.checks import check_named, check_programs, other_owner
from jrc.cli.diagnosis.case import Case
from jrc.cli.diagnosis.verdict import Verdict, failure, skipped, success, warning
from jrc.errors import OperatorError
from jrc.net.helperinstaller import check_by_helper
from jrc.net.linuxinstaller import NOT_TRIED, PrivilegeError, check

AS_ROOT = "run jrc doctor as root: sudo jrc doctor"


def look_at_installers(case: Case) -> Iterator[Verdict]:
    """Programs and radios are there; what became of their last run is the daemon's to tell."""
    if not case.settings.installer:
        yield success("none is configured")
        return
    check_programs(case.settings)
    if any(each.command is not None for each in case.settings.installer):
        yield success("the program of each can be run")
    for each in case.settings.installer:
        if each.interface is not None:
            yield from look_at_radio(
                each.interface, each.helper, has_proxy=case.settings.proxy is not None
            )
    if case.daemon.status is not None:
        yield from judge_runs(case.daemon.part("installers"))
    if case.settings.database.file is not None and other_owner(case.settings) is None:
        # The Join Proxy's network is looked at with the proxy.
        named = {
            key: name
            for key, name in case.settings.named_networks.items()
            if not key.startswith("proxy.")
        }
        for sentence in check_named(named, case.settings.database.file):
            yield warning(sentence, "start the daemon, or run any command of `jrc network`")


def look_at_radio(name: str, helper: Path | None = None, *, has_proxy: bool) -> Iterator[Verdict]:
    """Whether Linux takes link-layer keys for an interface; nothing is changed."""
    yield _try_radio(name, helper)
    yield skipped(f"{name}: {NOT_TRIED}")
    if has_proxy:
        yield warning(
            f"Linux protects all that {name} sends: where a key usage encrypts, pledges can't read"
            " what [proxy] sends them through it",
            "give the network key usage 3, 4 or 5, or let pledges join through other nodes",
        )


def _try_radio(name: str, helper: Path | None) -> Verdict:
    """A helper listens to root, and to the registrar's own user."""
    if helper is not None and os.geteuid() != 0:
        return skipped(f"whether keys can be set for {name} was not asked of its helper", AS_ROOT)
    try:
        asyncio.run(check(name) if helper is None else check_by_helper(name, helper))
    except PrivilegeError as error:
        return skipped(
            f"whether keys can be set for {name} was not tried: {error.message}", AS_ROOT
        )
    except OperatorError as error:
        return failure(error.message, error.hint)
    by = "" if helper is None else ", from its helper"
    return success(f"Linux takes link-layer keys for {name}{by}")


def judge_runs(told: Mapping[str, object]) -> Iterator[Verdict]:
    """A warning for each that has not handed the keys over: the old ones are still in use."""
    for name, run in told.items():
        if not isinstance(run, dict):
            continue
        if run.get("error"):
            failures = run.get("failures")
            has_failed = f"has failed {failures} times" if failures else "was not run"
            yield warning(
                f"{name} {has_failed}: {run['error']}",
                "mend that (a program: try it by hand); the daemon tries it again by itself",
            )
        else:
            yield success(f"{name} is {run.get('state')}")
