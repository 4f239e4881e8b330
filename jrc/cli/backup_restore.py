"""``jrc backup restore``: from a file to a database, quarantined unless it moves here."""

import time
from dataclasses import replace as replaced
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from jrc.cli import backup_source, output
from jrc.cli.answers import words
from jrc.cli.asking import Plan, confirm, plan_of
from jrc.cli.backup_screen import HEADINGS, examined_fields, examined_remarks, shown_progress
from jrc.cli.client import daemon_answers
from jrc.cli.options import (
    AsJson,
    BackupFile,
    DryRun,
    IdentityFile,
    PassphraseFile,
    Reason,
    Yes,
    common,
)
from jrc.cli.reporting import say
from jrc.cli.users import refuse_other_owner
from jrc.config import Settings
from jrc.errors import ExitCode, OperatorError
from jrc.service.wording import counted

if TYPE_CHECKING:
    from jrc.store.backup.keys import OpenKeys
    from jrc.store.backup.restore import Restore, Restored


def restore(
    context: typer.Context,
    file: BackupFile,
    passphrase_file: PassphraseFile = None,
    identity_file: IdentityFile = None,
    recovery_file: Annotated[
        Path | None,
        typer.Option(
            "--recovery-file",
            metavar="FILE",
            help="The recovery identity, if the key file is lost.",
        ),
    ] = None,
    dry_run: DryRun = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Move a database that is in the way aside.")
    ] = False,
    as_ordinary: Annotated[
        bool, typer.Option("--as-ordinary", help="Quarantine a final backup as well.")
    ] = False,
    reason: Reason = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Make the database of the config file from a backup. The daemon must not run.

    The whole backup is read before anything is written, and the key file of the config file, or the
    recovery identity, has to open its keys. The database is quarantined: what was answered since
    the backup is not in it, so nobody is answered until `jrc recover`. A final backup goes on where
    it was: once, within a day.

    \b
    Examples:
      jrc backup restore /mnt/stick/jrc.backup --dry-run
      jrc backup restore /mnt/stick/jrc.backup --replace --reason "the disk has died"
      jrc backup restore move.backup --passphrase-file FILE
    """
    from jrc.store.backup.container import read_header

    settings = common(context).settings()
    with backup_source.open_backup(file) as opened:
        used_by = read_header(opened, str(file)).used_by
        hindered = _hindrance(settings, replaces=replace, used_by=used_by)
        if hindered is not None and not dry_run:
            raise hindered
        open_keys = _key_opener(settings, recovery_file)
        job = _job(settings, file, opened, open_keys, passphrase_file, identity_file)
        job = replaced(job, reason=reason, replaces=replace, as_ordinary=as_ordinary)
        if dry_run:
            _show_plan(job, hindered, as_json=as_json)
            return
        done = _carried_out(job, yes=yes)
    _say_restored(job, done, as_json=as_json)
    if recovery_file is not None and not as_json:
        say(f"first of all, for a new key file: jrc keys restore --identity-file {recovery_file}")


def _key_opener(settings: Settings, recovery_file: Path | None) -> "OpenKeys":
    if recovery_file is not None:
        return backup_source.recovery_opener(recovery_file)
    return backup_source.key_opener(lambda: settings)


def _hindrance(
    settings: Settings, *, replaces: bool, used_by: bytes | None
) -> OperatorError | None:
    """What is in the way of a restore, if anything is; a dry run goes on and says it."""
    from jrc.store.backup.target import check_target

    try:
        _check_place(settings)
        check_target(settings.database.url, replaces=replaces, used_by=used_by)
    except OperatorError as error:
        return error
    return None


def _check_place(settings: Settings) -> None:
    if daemon_answers(settings.admin.socket):
        raise OperatorError(
            "the daemon is running, and nothing is restored under it",
            "stop it first: systemctl stop jrc",
            exit_code=ExitCode.REFUSED,
        )
    refuse_other_owner(settings)


def _job(
    settings: Settings,
    file: Path,
    opened: BinaryIO,
    open_keys: "OpenKeys",
    passphrase_file: str | None,
    identity_file: str | None,
) -> "Restore":
    """What is to be restored: all of the backup is read, and its keys are opened."""
    from jrc.admin.peers import this_process
    from jrc.store.backup.container import read_header
    from jrc.store.backup.restore import Restore

    header = read_header(opened, str(file))
    opens = backup_source.identities(header, file, passphrase_file, identity_file)
    with shown_progress("reading", file.stat().st_size) as shown:
        found = backup_source.examined(opened, file, header, opens, open_keys, shown)
    if found.key_error is not None:
        raise found.key_error
    return Restore(
        file=opened,
        path=file,
        identities=opens,
        examined=found,
        open_keys=open_keys,
        url=settings.database.url,
        instance_file=settings.instance_file,
        now_ms=time.time_ns() // 1_000_000,
        actor=this_process().actor,
    )


def _carried_out(job: "Restore", *, yes: bool) -> "Restored":
    """What has become of it, after a yes where one is needed."""
    from jrc.store.backup.restore import restore as carry_out

    for sentence in examined_remarks(job.examined):
        say(sentence)
    confirm(_plan(job), yes=yes)
    with shown_progress("restoring", job.examined.seal.row_count, "rows") as loaded:
        return carry_out(replaced(job, progress=loaded))


def _plan(job: "Restore") -> Plan:
    why = job.why_quarantined()
    pledges = counted(len(job.examined.concerned), "pledge")
    if why is None:
        what = f"The registrar goes on here where it was, with {pledges}."
    else:
        what = (
            f"{pledges}, of which {job.examined.joined} had joined, may come back after"
            f" `jrc recover`; until then nobody is answered: {why}."
        )
    aside = ["The database that is there now is moved aside."] if job.replaces else []
    return plan_of(what, *aside, needs_yes=job.replaces)


def _show_plan(job: "Restore", hindered: OperatorError | None, *, as_json: bool) -> None:
    fields = examined_fields(str(job.path), job.examined)
    why = job.why_quarantined()
    if as_json:
        pledges = [each._asdict() for each in job.examined.concerned]
        condition = "open" if why is None else "quarantined"
        in_the_way = None if hindered is None else hindered.message
        output.document(
            {
                **fields,
                "condition": condition,
                "why": why,
                "hindered": in_the_way,
                "concerned": pledges,
            }
        )
        return
    output.fields(fields, HEADINGS, as_json=False)
    for sentence in (*examined_remarks(job.examined), *words(_plan(job)["sentences"])):
        output.line(sentence)
    if hindered is not None:
        output.line(f"In the way of it: {hindered.message} ({hindered.hint})")
    output.line("nothing was changed; the pledges are listed with --json")


def _say_restored(job: "Restore", done: "Restored", *, as_json: bool) -> None:
    from jrc.store.engine import shown_url

    count, row, database = len(job.examined.concerned), done.instance, shown_url(job.url)
    if as_json:
        output.document(
            {
                "database": database,
                "condition": row.condition,
                "why": row.condition_detail or None,
                "epoch": row.epoch.hex(),
                "pledges": count,
                "aside": None if done.aside is None else str(done.aside),
            }
        )
        return
    say(f"restored to {database}: {counted(count, 'pledge')}")
    if done.aside is not None:
        say(f"the database that was there: {done.aside}")
    _say_next(done)


def _say_next(done: "Restored") -> None:
    if done.is_open:
        say("it goes on where it was; never start the old host's database again")
        say("next: jrc run, or systemctl start jrc")
        return
    say(f"it is quarantined: {done.instance.condition_detail}")
    say("nobody is answered, and revocations made since the backup are lost, until you say:")
    say("  jrc recover --dry-run")
    say("  jrc recover --confirm-revocations")
