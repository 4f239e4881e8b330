"""``jrc provision watch``: the registrar follows what devices print while they are flashed."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Final, NamedTuple

import typer

from jrc.cli import output
from jrc.cli.client import connect
from jrc.cli.options import AsJson, Common, Reason, common
from jrc.cli.watch_keys import MARKS, Keys, Wanted, wanted_of
from jrc.cli.watch_outbox import Outbox
from jrc.cli.watch_ports import Asked, patterns_of, split_of, watch_of
from jrc.cli.watch_screen import screen
from jrc.cli.watch_session import Session, Until
from jrc.cli.watch_signals import BoundedStream, in_order
from jrc.cli.watch_summary import summary, summed_up
from jrc.errors import ExitCode, OperatorError
from jrc.provision.console import Console
from jrc.provision.ports import STDIN
from jrc.provision.watching import Watch
from jrc.service.windows import parse_duration

USUAL_BAUD: Final = 115_200


def watch(
    context: typer.Context,
    ports: Annotated[
        list[str],
        typer.Argument(
            metavar="PORT..",
            help="Serial ports, pipes, files, or - for standard input. PORT=LABEL names one;"
            " a pattern in quotes, such as '/dev/ttyACM*', takes ports as they appear.",
        ),
    ],
    baud: Annotated[
        int, typer.Option("--baud", metavar="N", min=1, help="Of serial ports.")
    ] = USUAL_BAUD,
    once: Annotated[
        bool,
        typer.Option("--once", help="Read files and pipes to their end, and wait for no more."),
    ] = False,
    new: Annotated[
        bool,
        typer.Option("--new", help="With a pattern: leave out the ports that are there already."),
    ] = False,
    split: Annotated[
        str | None,
        typer.Option(
            "--split",
            metavar="REGEX",
            help="Several boards on a port: what is before each line; the group 'source' says"
            " whose it is.",
        ),
    ] = None,
    pattern: Annotated[
        list[str] | None,
        typer.Option(
            "--pattern", metavar="NAME", help="What to look for; may be repeated. [all of them]"
        ),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option("--count", metavar="N", min=1, help="End when so many devices are stored."),
    ] = None,
    for_: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="End after this: 90s, 10m, 2h.")
    ] = None,
    send_keys: Annotated[
        bool,
        typer.Option("--send-keys", help="Give devices that offer themselves a key of their own."),
    ] = False,
    derived: Annotated[
        bool, typer.Option("--derived", help="With --send-keys: RFC 9031 App. B, and no PSK.")
    ] = False,
    network: Annotated[
        list[str] | None,
        typer.Option(
            "--network", metavar="NAME", help="With --send-keys: of new devices; may be repeated."
        ),
    ] = None,
    role: Annotated[
        str | None, typer.Option(help="With --send-keys: of new devices, 6ln or 6lbr.")
    ] = None,
    renew: Annotated[
        bool,
        typer.Option("--renew", help="With --send-keys: devices that the registrar knows too."),
    ] = False,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Follow the consoles of devices: store the identities they print.

    A device that says its id and its public credential when it boots gets an entry, or its entry
    follows. A board may be changed for another, a port may vanish and come back. What consoles say
    is never shown, but ids and thumbprints of public keys. Ctrl-C ends it with a summary.

    With --send-keys a device that says that it has no key gets one down its port: the registrar is
    told first, and the key is never shown. One that the registrar knows gets one with --renew, and
    keeps its former key until it joins with the new one. docs/back-channel.md has what the firmware
    has to do.

    Exit codes: 0 all that was seen is stored, 4 something is not, 5 fewer devices than --count.

    \b
    Examples:
      jrc provision watch /dev/ttyACM0 /dev/ttyACM1=fixture-2
      jrc provision watch '/dev/ttyACM*' --count 25 --reason "batch 7"
      laze build -b nrf52840dk run 2>&1 | tee run.log | jrc provision watch -
      jrc provision watch board-1.log board-2.log --once --json
      jrc provision watch '/dev/ttyUSB*' --send-keys --network lab --reason "batch 7"
      jrc provision watch runner.log --once --split '^\\[(?P<source>[\\w-]+)\\] '
    """
    asked = _with_token(common(context), ports)
    looked_for, divided = patterns_of(asked, pattern or ()), split_of(split)
    wanted = wanted_of(
        ports, network or (), role, send_keys=send_keys, derived=derived, renew=renew
    )
    until = Until(count, _seconds(for_))
    watched = watch_of(
        Asked(ports, baud, once, new, is_written_to=wanted is not None),
        lambda: BoundedStream(lambda: Console(looked_for, MARKS if wanted else ()), divided),
    )
    run = _Run(watched, until, wanted, reason, once, as_json)
    code = _carried_out(run, asked)
    if code != ExitCode.DONE:
        raise typer.Exit(code)


class _Run(NamedTuple):
    """What was asked for, as the parts of a run want it."""

    watched: Watch
    until: Until
    wanted: Wanted | None
    reason: str
    is_recording: bool
    as_json: bool


def _carried_out(run: _Run, asked: Common) -> ExitCode:
    """Follows the ports to the end of the run, and says what has come of it."""
    try:
        with in_order(), screen(as_json=run.as_json) as shown:
            session = Session(run.watched, shown, run.until, is_recording=run.is_recording)
            outbox = Outbox(lambda: connect(asked), session.stored, run.watched.wake, run.reason)
            if run.wanted is not None:
                session.keys = Keys(session.rows, outbox.ask, run.wanted, run.reason)
            left = session.run(outbox)
    finally:
        run.watched.close()
    if run.as_json:
        output.json_lines([summary(session, left)])
    code = summed_up(session, left, outbox.away, run.until)
    if session.broken is not None:
        raise session.broken
    return code


def _with_token(asked: Common, ports: Sequence[str]) -> Common:
    """What was asked for, with the token of a registrar elsewhere read once."""
    if asked.remote is None:
        return asked
    if asked.remote.token_file == STDIN and STDIN in ports:
        raise typer.BadParameter("--token-file - and the port - would both take standard input")
    return replace(asked, remote=asked.remote.with_token())


def _seconds(for_: str | None) -> float:
    if for_ is None:
        return math.inf
    try:
        return parse_duration(for_)
    except ValueError as error:
        raise OperatorError(
            f"--for: {error}", "write it as 90s, 10m, 2h or 1d", exit_code=ExitCode.USAGE
        ) from None
