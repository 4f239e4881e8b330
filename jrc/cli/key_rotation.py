"""Changing the keys that seal the database, step by step, for ``jrc keys``."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jrc.cli.client import Api
from jrc.cli.reporting import say
from jrc.cli.users import quoted
from jrc.config import Settings
from jrc.errors import ExitCode, JrcError, OperatorError, StoreError
from jrc.model import Secret


@contextmanager
def new_key_file(path: Path, key: Secret, settings: Settings) -> Iterator[None]:
    """A new key file for the service's user; it goes if what it is made for is refused."""
    from jrc.store.keyfile import key_text, write_key
    from jrc.store.keyslots import file_key_id

    write_key(path, key_text(key), _owner(settings))
    with gone_if_refused(path, file_key_id(key)):
        yield


_REFUSALS = (ExitCode.USAGE, ExitCode.REFUSED)


def _has_not_happened(error: BaseException) -> bool:
    from jrc.store.server import UnknownOutcomeError

    if isinstance(error, StoreError):
        return not isinstance(error, UnknownOutcomeError)
    return isinstance(error, OperatorError) and error.exit_code in _REFUSALS


@contextmanager
def gone_if_refused(path: Path, key_id: bytes) -> Iterator[None]:
    """Remove a new file with a key if its slot is refused, and in no other case.

    Where the daemon dies, or Ctrl-C is pressed, the slot may have been made: the file is then all
    that opens it.
    """
    try:
        yield
    except (JrcError, KeyboardInterrupt) as error:
        if _has_not_happened(error):
            path.unlink(missing_ok=True)
        else:
            say(
                f"{path} was kept, as it may be needed: it is if `jrc keys slots` shows its key,"
                f" {key_id.hex()}; else delete it"
            )
        raise


def _owner(settings: Settings) -> tuple[int, int] | None:
    """Whose the database is, where root makes a file that the service has to read."""
    if os.geteuid() != 0 or not settings.state_dir.is_dir():
        return None
    found = settings.state_dir.stat()
    return found.st_uid, found.st_gid


def planned(*, wants_kek: bool, data: bool, file: Path | None) -> str:
    """What a rotation will do, in a sentence."""
    what = [
        "all rows with secrets and MACs are written anew under new data keys" if data else "",
        "the key encryption key is changed in all slots" if wants_kek else "",
        f"the key file of this host opens nothing more, and {file} does" if file else "",
    ]
    return "; ".join(filter(None, what))


def rotate_kek(
    api: Api, settings: Settings, file: Path | None, others: Sequence[Path], reason: str
) -> None:
    """A new key encryption key, and with ``file`` a new key for this host's slot in that file.

    Raises:
        OperatorError: a slot's key is missing, or a file can't be read or made.
    """
    from jrc.store.keyfile import new_key, read_key

    given = [read_key(path, setting="--with").reveal().hex() for path in others]
    body: dict[str, object] = {"others": given, "reason": reason}
    if file is None:
        api.post("/v1/keys/rotate", body)
        return
    key = new_key()
    body["replacement"] = key.reveal().hex()
    with new_key_file(file, key, settings):
        api.post("/v1/keys/rotate", body)


def rotate_data(api: Api, reason: str) -> Mapping[str, Any]:
    """All rows under new data keys, a few in each transaction; what came of it."""
    begun = api.post("/v1/keys/rotation", {"reason": reason})["begun"]
    if not begun:
        say("a rotation that was broken off goes on")
    try:
        return _rows_brought_along(api, reason)
    except KeyboardInterrupt:
        say("broken off; nothing is lost, and `jrc keys rotate --data` goes on with it")
        raise


def _rows_brought_along(api: Api, reason: str) -> Mapping[str, Any]:
    tell, report = _progress(), api.post("/v1/keys/rotation/step", {"reason": reason})
    whole = report
    while not report["is_over"]:
        whole = report
        tell(report)
        report = api.post("/v1/keys/rotation/step", {"reason": reason})
    return {**whole, "is_over": True}


def _progress() -> Callable[[Mapping[str, Any]], None]:
    """Says on a terminal how far it is, at each tenth."""
    said = [0]

    def tell(report: Mapping[str, Any]) -> None:
        total = report["done"] + report["left"]
        tenth = 10 * report["done"] // total if total else 10
        if tenth > said[0] and sys.stderr.isatty():
            said[0] = tenth
            say(f"{report['done']} of {total} rows")

    return tell


def say_rotated(
    moved: Mapping[str, Any] | None, settings: Settings, file: Path | None, *, wants_kek: bool
) -> None:
    """What was changed, and what is to be done now."""
    if moved is not None:
        say(f"new data keys are in force; {moved['changed']} rows were written anew")
        if moved["damaged"] or moved["unreadable"]:
            say(
                f"{moved['damaged'] + moved['unreadable']} rows authenticate under no key and were"
                " left as they are: see `jrc pledge list` for damaged ones"
            )
    if wants_kek:
        say("a new key encryption key is in force")
    if file is not None:
        place = place_of(settings, file)
        say(f"put the new key file in place now, or the next start fails: {place}")
    say("backups that were made before open with the old keys: delete them, or keep them as safe")


def place_of(settings: Settings, file: Path) -> str:
    """The command that puts a new key file where the config file wants it."""
    keys = settings.keys
    if keys.kek_file is not None:
        return f"mv {quoted(str(file))} {quoted(str(keys.kek_file))}"
    name = keys.credential
    return (
        f"systemd-creds encrypt --name={name} {quoted(str(file))} /etc/credstore.encrypted/{name}"
        " && systemctl restart jrc"
    )
