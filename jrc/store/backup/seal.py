"""Sealing with the age format (https://age-encryption.org/v1), by the library ``pyrage``.

The content is sealed for X25519 recipients, in pieces of 64 KiB. A passphrase never seals the
content: the library would hold all of it in memory. It seals a fresh identity, for which the
content is sealed; that costs about a second and, on a fast machine, 512 MiB for as long (scrypt).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO

from jrc.errors import ExitCode, OperatorError
from jrc.model import Secret
from jrc.store.backup.container import damaged

_NO_KEY_FITS = "No matching keys found"


def new_identity() -> tuple[Secret, str]:
    """A fresh identity (``AGE-SECRET-KEY-1...``) and the recipient that belongs to it."""
    from pyrage import x25519

    identity = x25519.Identity.generate()
    return Secret(str(identity).encode()), str(identity.to_public())


def check_recipient(text: str) -> str:
    """``text``, if it is an X25519 recipient (``age1...``).

    Raises:
        OperatorError: it is something else.
    """
    _recipient(text)
    return text


def check_recipients(texts: Sequence[str]) -> None:
    """Nothing, if all of them are recipients.

    Raises:
        OperatorError: one is something else.
    """
    for text in texts:
        _recipient(text)


def _recipient(text: str) -> Any:
    from pyrage import RecipientError, x25519

    try:
        return x25519.Recipient.from_str(text)
    except RecipientError:
        raise OperatorError(
            f"{text[:80]!r} is no recipient of the age format",
            "write it as age1..., as `jrc backup keygen` or `age-keygen` show it",
            exit_code=ExitCode.USAGE,
        ) from None


def seal_identity(identity: Secret, passphrase: Secret) -> bytes:
    """An identity that the passphrase opens, as the lines of an armored age file."""
    from pyrage import passphrase as sealing

    sealed: bytes = sealing.encrypt(identity.reveal(), passphrase.reveal().decode(), armored=True)
    return sealed


def open_identity(sealed: bytes, passphrase: Secret, name: str) -> Secret:
    """What ``seal_identity`` has sealed.

    Raises:
        OperatorError: it is another passphrase, or the lines were changed.
    """
    from pyrage import DecryptError
    from pyrage import passphrase as sealing

    try:
        return Secret(sealing.decrypt(sealed, passphrase.reveal().decode()))
    except (DecryptError, OSError):
        raise OperatorError(
            f"the passphrase does not open {name}",
            "take the one that it was made with; if that is the one, the file is damaged",
            exit_code=ExitCode.REFUSED,
        ) from None


def identities_in(text: str, name: str) -> list[Secret]:
    """The identities of an identity file: a line each, comments left out.

    Raises:
        OperatorError: it holds none, or something else.
    """
    from pyrage import IdentityError, x25519

    lines = [line.strip() for line in text.splitlines()]
    found = [line for line in lines if line and not line.startswith("#")]
    try:
        for line in found:
            x25519.Identity.from_str(line)
    except IdentityError:
        found = []
    if not found:
        raise OperatorError(
            f"{name} holds no identity of the age format",
            "it is a file as `age-keygen` makes it, with a line AGE-SECRET-KEY-1...",
            exit_code=ExitCode.USAGE,
        )
    return [Secret(line.encode()) for line in found]


class _Pieces:
    """An iterator of pieces as the file that ``pyrage`` reads."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = memoryview(b"")
        self.error: BaseException | None = None

    def read(self, size: int = -1) -> bytes:
        """The next bytes, ``size`` at most; none at the end."""
        try:
            while not self._left:
                self._left = memoryview(next(self._pieces))
        except StopIteration:
            return b""
        except BaseException as error:
            self.error = error
            raise
        taken, self._left = self._left[:size], self._left[size:]
        return bytes(taken)


class _Out:
    """What ``pyrage`` writes to; it keeps the error of the far side, which it would rename."""

    def __init__(self, take: Callable[[bytes], object]) -> None:
        self._take = take
        self.error: BaseException | None = None

    def write(self, piece: bytes) -> int:
        """Hand a piece on; none after one that was refused, which is tried again."""
        if self.error is not None:
            raise self.error
        try:
            self._take(piece)
        except BaseException as error:
            self.error = error
            raise
        return len(piece)

    def flush(self) -> None:
        """Nothing is held back."""


def encrypt(
    pieces: Iterator[bytes], take: Callable[[bytes], object], recipients: Sequence[str]
) -> None:
    """Seal what comes for all of ``recipients``; ``take`` gets 64 KiB at a time.

    Raises:
        OperatorError: one of ``recipients`` is none; else what ``pieces`` and ``take`` raise.
    """
    import pyrage

    keys = [_recipient(text) for text in recipients]
    source, out = _Pieces(pieces), _Out(take)
    try:
        pyrage.encrypt_io(source, out, keys)
    except (pyrage.EncryptError, OSError) as error:
        raise source.error or out.error or error from None


def decrypt(
    file: BinaryIO, take: Callable[[bytes], object], identities: Sequence[Secret], name: str
) -> None:
    """Open what stands in ``file`` from where it is; ``take`` gets it piece by piece.

    What was taken counts only once this has returned: the end may be missing.

    Raises:
        OperatorError: none of ``identities`` opens it, or it is damaged; else what ``take`` raises.
    """
    import pyrage

    keys = [pyrage.x25519.Identity.from_str(each.reveal().decode()) for each in identities]
    out = _Out(take)
    try:
        pyrage.decrypt_io(file, out, keys)
    except pyrage.DecryptError as error:
        if out.error is not None:
            raise out.error from None
        if str(error) == _NO_KEY_FITS:
            raise _sealed_for_others(name) from None
        raise damaged(name, "what is sealed in it does not open") from None
    except OSError as error:
        if out.error is not None:
            raise out.error from None
        if error.errno is not None:
            raise OperatorError(f"{name} can't be read ({error.strerror})") from None
        raise damaged(name, "what is sealed in it does not authenticate to its end") from None


def _sealed_for_others(name: str) -> OperatorError:
    return OperatorError(
        f"{name} is sealed for other keys than those given",
        "say --identity-file FILE with the identity of one of its recipients",
        exit_code=ExitCode.REFUSED,
    )
