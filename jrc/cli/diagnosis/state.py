"""The config file, the key encryption key, the database and the instance file."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from jrc.cli.checks import not_looked_at, notes, other_owner
from jrc.cli.diagnosis.case import Case, Daemon
from jrc.cli.diagnosis.verdict import Verdict, failure, skipped, success, warning
from jrc.cli.proxy import is_proxy_alone
from jrc.cli.users import as_user, user_name
from jrc.errors import REMEDIES, Cause, OperatorError
from jrc.model import Condition
from jrc.offline import configured_installers
from jrc.opened import slot_key
from jrc.service.condition import remedy
from jrc.service.following import followed_interfaces
from jrc.service.key_notices import key_notices
from jrc.service.key_slots import key_warnings
from jrc.service.registry import Registry
from jrc.store import instancefile, integrity
from jrc.store.engine import shown_url
from jrc.store.examine import examine
from jrc.store.keyslots import check_opens
from jrc.store.lock import LockHeldError, StateLock
from jrc.store.logfile import check_file
from jrc.store.on_disk import UnreadableError, seals_on_disk
from jrc.store.registry import StoreRegistry
from jrc.store.schema import SCHEMA_REVISION
from jrc.store.server import event_hash_of
from jrc.store.transaction import ReadTransaction


def look_at_config(case: Case) -> Iterator[Verdict]:
    """The file and what this version makes of it; from here on the daemon is known."""
    try:
        settings = case.asked.settings()
    except OperatorError as error:
        raise _with_reader(error, case.asked.path) from None
    case.settings = settings
    if not is_proxy_alone(settings):
        case.daemon = Daemon.ask(settings.admin.socket)
    noted = list(notes(settings))
    for sentence in noted:
        yield warning(sentence, "take it out of the config file, unless it is meant to be there")
    if not noted:
        yield success(f"{case.asked.path} is in order; looked at as {user_name(os.geteuid())}")


def _with_reader(error: OperatorError, path: Path) -> OperatorError:
    """The error, with whom to become where this user may not read the file."""
    if not os.path.exists(path) or os.access(path, os.R_OK):
        return error
    found = path.stat()
    hint = f"run it as {user_name(found.st_uid)}, or as a member of the group that owns the file"
    return OperatorError(error.message, hint)


def look_at_key(case: Case) -> Iterator[Verdict]:
    """The key file or credential: there, private, and a key."""
    owner = other_owner(case.settings)
    if owner is not None:
        yield warning(not_looked_at(owner), f"run: {as_user(owner)}")
        return
    keys = case.settings.keys
    if keys.credential is not None and "CREDENTIALS_DIRECTORY" not in os.environ:
        yield skipped(
            f"the service manager gives the credential {keys.credential} to the service alone",
            "the daemon's log says whether it could use it",
        )
        return
    case.kek = slot_key(case.settings)
    _check_slot(case)
    yield success(f"{keys.kek_file or keys.credential} holds a key, and no other user can read it")


def _check_slot(case: Case) -> None:
    """Nothing, if the key opens the database, as far as that can be looked at.

    A daemon goes on with what it has in memory where the file was changed under it.

    Raises:
        OperatorError: it opens no slot: the next start would fail.
    """
    file, key = case.settings.database.file, case.kek
    if file is None or key is None or not file.exists():
        return
    try:
        seals = seals_on_disk(file)
    except (UnreadableError, OperatorError):
        return  # what is wrong with the database is said in its place
    if seals.revision == SCHEMA_REVISION:
        check_opens(key, seals.slots, "keys.kek_file")


def look_at_database(case: Case) -> Iterator[Verdict]:
    """Schema and key fit. A daemon that has it open is asked: one process works on it."""
    if case.daemon.status is not None:
        case.followed = frozenset(case.daemon.part("interfaces"))
        case.key_notices = case.daemon.records("key_notices")
        yield _as_the_daemon_has_it(case.daemon)
        yield from _about_keys(case.daemon.texts("key_warnings"))
        return
    file, kek = case.settings.database.file, case.kek
    if kek is None:
        yield skipped("not looked at: its key is not at hand, and no daemon tells about it")
        return
    try:
        with StateLock.of(file, case.settings.instance_file):
            if file is not None:
                check_file(case.settings.instance_file, file)
            case.instance, (case.hashes, (case.followed, case.key_notices, warnings)) = examine(
                case.settings.database.url,
                kek,
                lambda tx: (_remembered(case, tx), _read(case, StoreRegistry(tx))),
                case.clock.now_ms(),
            )
    except LockHeldError as error:
        yield warning(
            f"not looked at: {error.message}, which does not answer on the admin socket",
            "if that is another command, run `jrc doctor` again after it",
        )
        return
    shown = file or shown_url(case.settings.database.url)
    yield success(f"{shown} has schema {SCHEMA_REVISION}, and the key opens it")
    yield from _about_pages(case.settings.database.url)
    yield from _about_keys(warnings)


def _remembered(case: Case, tx: ReadTransaction) -> Mapping[int, bytes | None]:
    """Hashes of the entries of the audit log that the instance file remembers, as they are here."""
    try:
        memory = instancefile.read(case.settings.instance_file)
    except OperatorError:
        return {}  # which is said in its place
    known = (memory, memory.expected)
    numbers = {each.event.number for each in known if each is not None and each.event is not None}
    return {number: event_hash_of(tx.connection, number) for number in numbers}


def _read(
    case: Case, tx: Registry
) -> tuple[frozenset[str], Sequence[Mapping[str, object]], list[str]]:
    """What later checks need of the database: interfaces that networks name, and of keys."""
    notices = [asdict(notice) for notice in key_notices(tx, configured_installers(case.settings))]
    return followed_interfaces(tx), notices, key_warnings(tx)


def _about_pages(url: str) -> Iterator[Verdict]:
    found = integrity.findings(url)
    if found:
        yield failure(f"the database file is damaged: {'; '.join(found)}", REMEDIES[Cause.CORRUPT])


def _about_keys(sentences: Sequence[str]) -> Iterator[Verdict]:
    for sentence in sentences:
        yield warning(sentence, "see `jrc keys slots`")


def _as_the_daemon_has_it(daemon: Daemon) -> Verdict:
    schema, pid = daemon.text("schema"), daemon.number("pid")
    if (daemon.status or {}).get("sealed"):
        return failure(
            f"the daemon (process {pid}) has it not open: {daemon.text('why')}",
            "put the key file there: the daemon goes on by itself",
        )
    if schema != SCHEMA_REVISION:
        return warning(
            f"the daemon (process {pid}) has it open with schema {schema}, and this program works"
            f" with {SCHEMA_REVISION}",
            "stop the daemon, run `jrc db upgrade`, start it again",
        )
    return success(f"the daemon (process {pid}) has it open, with schema {schema}")


def look_at_instance_file(case: Case) -> Iterator[Verdict]:
    """That the database is the one this host last used, and no old copy of it."""
    path = case.settings.instance_file
    owner = other_owner(case.settings)
    if owner is not None:
        yield skipped(f"{path} belongs to {user_name(owner)}", f"run: {as_user(owner)}")
        return
    if case.instance is not None:
        instancefile.check(path, case.instance, case.hashes.get)
    elif case.daemon.status is not None:
        _check_epoch(case)
    else:
        yield skipped("not looked at, as the database could not be")
        return
    closed = _closed(case)
    if closed is None:
        yield success(f"{path} knows this database: it is no old copy")
    else:
        yield closed


def _closed(case: Case) -> Verdict | None:
    """What there is to say of a database that is quarantined or was moved."""
    if case.instance is not None:
        condition, why = case.instance.condition, case.instance.condition_detail
    else:
        condition, why = case.daemon.text("condition"), case.daemon.text("condition_why")
    if condition in ("", Condition.OPEN):
        return None
    return failure(
        f"nobody is answered: the database is {condition}: {why}", remedy(Condition(condition))
    )


def _check_epoch(case: Case) -> None:
    """How far the database has come is the daemon's to compare: it writes both.

    Raises:
        OperatorError: the file is missing, or another database's.
    """
    path = case.settings.instance_file
    if instancefile.read(path).epoch.hex() != case.daemon.text("epoch"):
        raise OperatorError(
            f"{path} is not that of the database which the daemon has open",
            "the next start would quarantine the database: see whether instance.file was changed",
        )
