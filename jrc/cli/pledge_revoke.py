"""``jrc pledge revoke`` and ``restore``: devices put out of their networks, and taken back."""

from collections.abc import Mapping
from typing import Annotated

import typer

from jrc.cli import output
from jrc.cli.answers import as_before, records, words
from jrc.cli.asking import confirm
from jrc.cli.client import Api, connect, connect_daemon, is_served, pledge_path
from jrc.cli.options import AsJson, KnownPledge, KnownPledges, Reason, Yes, common
from jrc.cli.patience import Patient
from jrc.cli.reporting import say
from jrc.cli.rollover_wait import Timeout, Wait, Watcher, seconds_of, wait_on_screen
from jrc.cli.rollover_words import left_with_old_keys
from jrc.errors import ExitCode
from jrc.service.wording import listed


def revoke(
    context: typer.Context,
    pledge_ids: KnownPledges,
    no_rollover: Annotated[
        bool,
        typer.Option(
            "--no-rollover", help="Change no keys: the devices can go on with those they have."
        ),
    ] = False,
    wait: Wait = False,
    timeout: Timeout = None,
    reason: Reason = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Put devices out of their networks. Says first whom it concerns, and asks.

    From now on they get no answer to any request, and every network that they have keys of gets
    new keys, which they are not told. They are out when that rollover is done: `--wait` waits for
    it. Several at once need one rollover. `restore` undoes what can be undone.

    \b
    Examples:
      jrc pledge revoke 00124b0014b5b67e --reason "stolen" --wait
      jrc pledge revoke 00124b0014b5b67e 00124b0014b5b67f --reason "scrapped" --yes
    """
    asked, for_s = common(context), seconds_of(timeout, waits=wait)
    body: dict[str, object] = {"pledge_ids": pledge_ids, "rekey": not no_rollover}
    code = ExitCode.DONE.value
    with connect_daemon(asked) if wait else connect(asked) as api:
        confirm(api.post("/v1/revocations/plan", body), yes=yes)
        done = api.post("/v1/revocations", {**body, "reason": reason, "agreed": True})
        _report(done, as_json=as_json)
        if done["rollovers"] and not is_served(asked):
            say("the daemon is not running: the nodes are told when `jrc run` does")
        if wait:
            code = _wait_for_all(api, done, for_s)
    if code != ExitCode.DONE:
        raise typer.Exit(code)


def _report(done: Mapping[str, object], *, as_json: bool) -> None:
    pledges = records(done["pledges"])
    if as_json:
        # What became of a pledge that is alone stands beside the rest, as it always did.
        alone = dict(pledges[0]) if len(pledges) == 1 else {}
        output.document({**alone, **done})
        return
    for each in pledges:
        say(f"{each['pledge_id']}: {each['state']}{as_before(each)}")
    for sentence in words(done["said"]):
        say(sentence)


def _wait_for_all(api: Api, done: Mapping[str, object], for_s: float) -> int:
    """Waits until the devices have no keys in force any more: the exit code.

    It is the first one of a key domain that is not done.
    """
    daemon = Patient(api, for_s)
    codes = []
    for each in records(done["rollovers"]):
        if each["outcome"] == "omitted":
            continue
        network = words(each["networks"])[0]
        known = each["rollover"] if each["outcome"] != "wanted" else None
        assert known is None or isinstance(known, int)
        watcher = Watcher(daemon, network, known)
        code, status = wait_on_screen(watcher)
        left = left_with_old_keys(status) if status is not None else []
        if code == ExitCode.DONE and left:
            code = ExitCode.UNFINISHED
            say(
                f"{network}: the old keys are retired, but not gone from {listed(left)}: who was"
                " revoked can go on with them there"
            )
        elif code == ExitCode.DONE:
            say(f"{network}: the old keys are retired, and who was revoked is out")
        codes.append(code)
    return next((code for code in codes if code != ExitCode.DONE), ExitCode.DONE.value)


def restore(
    context: typer.Context,
    pledge_id: KnownPledge,
    reason: Reason = "",
    _yes: Annotated[
        bool, typer.Option("--yes", "-y", help="As for revoke and remove; nothing is asked here.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Let a revoked pledge join again, with the key and the replay window it had.

    It comes off the blocklist. Keys that were changed because of it stay changed, and a rollover
    that is running goes on: then the device has to join again, which is said.

    \b
    Example:
      jrc pledge restore 00124b0014b5b67e --reason "found again"
    """
    path = f"{pledge_path(pledge_id)}/restore"
    with connect(common(context)) as api:
        done = api.post(path, {"reason": reason})
    if as_json:
        output.document(done)
        return
    say(f"{done['pledge_id']}: {done['state']}{as_before(done)}")
    for sentence in words(done["said"]):
        say(sentence)
