"""A backup key: a recipient, and its identity sealed with a passphrase.

Scheduled backups are sealed for the recipient and carry the sealed identity: the passphrase opens
each of them, and is not on the host that makes them.
"""

from dataclasses import dataclass
from pathlib import Path

from jrc.errors import ExitCode, OperatorError
from jrc.filerights import read_private
from jrc.model import Secret
from jrc.store.backup.seal import check_recipient, new_identity, seal_identity

_FIRST = "jrc-backup-key 1 "
_MAX_BYTES = 64 * 1024


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
    first, _, rest = _private_text(path, "the backup key").partition("\n")
    if not first.startswith(_FIRST) or not rest.startswith("-----BEGIN AGE ENCRYPTED FILE-----\n"):
        raise OperatorError(
            f"{path} is no backup key",
            "`jrc backup keygen FILE` makes one",
            exit_code=ExitCode.USAGE,
        )
    return BackupKey(check_recipient(first.removeprefix(_FIRST)), rest.encode())


def _private_text(path: Path, what: str) -> str:
    """The text of a file that its owner alone may read."""
    try:
        raw = read_private(path, what, _MAX_BYTES + 1, exit_code=ExitCode.REFUSED)
        if len(raw) > _MAX_BYTES:
            raise OperatorError(f"{what} {path} is too long to be one")
        return raw.decode()
    except OSError as error:
        raise OperatorError(f"{what} {path} can't be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise OperatorError(f"{what} {path} is not UTF-8 text") from None
