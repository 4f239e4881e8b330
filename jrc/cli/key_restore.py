"""``jrc keys restore``: on the database itself, as a daemon without its key has it not open."""

from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path

from jrc.admin.peers import this_process
from jrc.cli.key_rotation import gone_if_refused
from jrc.cli.users import refuse_other_owner
from jrc.clock import SystemClock
from jrc.config import Settings
from jrc.opened import Opened
from jrc.service.key_records import NewSlot, SlotKind
from jrc.service.key_slots import restore_slot
from jrc.store.keyfile import key_text, new_key, read_key, write_key
from jrc.store.keyslots import file_key_id


def restore_key_file(
    settings: Settings,
    identity_file: Path,
    path: Path,
    *,
    slot: str,
    reason: str,
) -> dict[str, object]:
    """Give ``slot`` a new key in a new file at ``path``; slots and keys as they are then.

    Raises:
        OperatorError: the identity opens no slot, the file exists, or a daemon has the database.
    """
    refuse_other_owner(settings)
    read_identity = partial(read_key, identity_file, setting="--identity-file")
    identity, key = read_identity(), new_key()
    with closing(Opened.open(settings, SystemClock(), read_identity)) as opened:
        write_key(path, key_text(key))
        with gone_if_refused(path, file_key_id(key)):
            new = NewSlot(slot, SlotKind.FILE, key=key)
            actor = this_process().actor
            report = opened.write(
                lambda tx: restore_slot(tx, identity, new, actor=actor, reason=reason)
            )
    return asdict(report)
