"""A backup key: a recipient, and its identity sealed with a passphrase.

Scheduled backups are sealed for the recipient and carry the sealed identity: the passphrase opens
each of them, and is not on the host that makes them.
"""

from dataclasses import dataclass
from pathlib import Path

from jrc.errors import ExitCode, OperatorError
from jrc.model import Secret
from jrc.store.backup.seal import check_recipient, new_identity, private_text, seal_identity

_FIRST = "jrc-backup-key 1 "


@dataclass(frozen=True, slots=True)
class BackupKey:
    """``sealed_identity`` as it stands in a backup's header."""

    recipient: str
    sealed_identity: bytes

    def encoded(self) -> bytes:
        """As it stands in its file."""
        return f"{_FIRST}{self.recipient}\n".encode() + self.sealed_identity


def new_backup_key(passphrase: Secret) -> BackupKey:
    """A fresh one."""
    identity, recipient = new_identity()
    return BackupKey(recipient, seal_identity(identity, passphrase))


def read_backup_key(path: Path) -> BackupKey:
    """The one in a file.

    Raises:
        OperatorError: it can't be read, or is none.
    """
    first, _, rest = private_text(path, "the backup key").partition("\n")
    if not first.startswith(_FIRST) or not rest.startswith("-----BEGIN AGE ENCRYPTED FILE-----\n"):
        raise OperatorError(
            f"{path} is no backup key",
            "`jrc backup keygen FILE` makes one",
            exit_code=ExitCode.USAGE,
        )
    return BackupKey(check_recipient(first.removeprefix(_FIRST)), rest.encode())
