"""Backups of a desk's database, made and restored without a command."""

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace as replaced
from pathlib import Path

from jrc.model import Condition, Secret
from jrc.service.backups import BackupWish, note_backup
from jrc.store import instancefile
from jrc.store.backup.container import Header, read_header
from jrc.store.backup.dump import sealed_dump
from jrc.store.backup.examine import Examined, examine_backup
from jrc.store.backup.keys import OpenKeys, opener
from jrc.store.backup.restore import Restore, Restored, restore
from jrc.store.backup.seal import new_identity
from tests.desk import ACTOR, KEK, NOW_MS, Desk

KEYS = opener(KEK)


@dataclass
class Backup:
    """A backup in ``path``, and what opens it."""

    path: Path
    identity: Secret
    now_ms: int = NOW_MS
    keys: OpenKeys = KEYS

    def examined(self) -> Examined:
        """A look through all of it."""
        with self.path.open("rb") as file:
            header = read_header(file, "b")
            return examine_backup(file, header, [self.identity], "b", self.keys)

    def restored(self, folder: Path, **changed: object) -> Restored:
        """What a restore into ``folder`` makes."""
        folder.mkdir(exist_ok=True)
        found = self.examined()
        with self.path.open("rb") as file:
            job = Restore(
                file=file,
                path=self.path,
                identities=[self.identity],
                examined=found,
                open_keys=self.keys,
                url=f"sqlite:///{folder / 'jrc.db'}",
                instance_file=folder / "jrc.instance",
                now_ms=self.now_ms,
                actor=ACTOR,
            )
            return restore(replaced(job, **changed))  # type: ignore[arg-type]


def bytes_of(
    desk: Desk,
    *,
    is_final: bool = False,
    meanwhile: Callable[[], None] = lambda: None,
    keys: tuple[Secret, str] | None = None,
) -> tuple[bytes, Secret]:
    """A backup as bytes, and its identity; ``meanwhile`` is called after each piece of work.

    ``keys`` are an identity and its recipient, in place of fresh ones.
    """
    identity, recipient = keys or new_identity()
    header, out = Header(), io.BytesIO()
    wish = BackupWish((recipient,), header.digest, is_final)
    out.write(header.encoded())
    if desk.read(lambda tx: tx.database.condition) is not Condition.MOVED:
        desk.write(lambda tx: note_backup(tx, wish, actor=ACTOR))
    sealed_dump(desk.database, out.write, wish, desk.now_ms, meanwhile)
    return out.getvalue(), identity


def made(desk: Desk, path: Path, *, is_final: bool = False) -> Backup:
    """A backup of the desk's database as it is now, with its instance file beside it."""
    raw, identity = bytes_of(desk, is_final=is_final)
    path.write_bytes(raw)
    os.chmod(path, 0o600)
    instancefile.write(desk.path.with_suffix(".instance"), desk.database.instance)
    return Backup(path, identity, desk.now_ms)
