"""Keys at rest: key encryption key -> data keys by purpose -> rows.

A wrapped value is ``format (1) || data key id (4) || nonce (12) || AES-256-GCM ciphertext``. Its
associated data names table, row, column and version, so that a value moved elsewhere in the
database does not open. What stays in memory is the data keys; the key encryption key is dropped.
"""

import hashlib
import hmac
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from jrc.errors import OperatorError, StateError
from jrc.model import Secret

KEY_BYTES = 32
_FORMAT = b"\x01"
_NONCE_BYTES = 12
_HEADER_BYTES = 1 + 4 + _NONCE_BYTES

RandomBytes = Callable[[int], bytes]


class Purpose(StrEnum):
    """What a data key is for; one leaked or worn-out key touches one kind of data."""

    CREDENTIAL = "credential"
    CONTEXT = "context"
    LINK_LAYER = "link_layer"
    ROW_MAC = "row_mac"
    FINGERPRINT = "fingerprint"


@dataclass(frozen=True, slots=True)
class WrappedDataKey:
    """A data key as the database holds it."""

    id: int
    purpose: Purpose
    kek_id: bytes
    wrapped: bytes


class Keyring:
    """The opened data keys: wraps and unwraps values, gives MAC and fingerprint keys."""

    def __init__(self, keys: Mapping[int, tuple[Purpose, Secret]], random: RandomBytes) -> None:
        self._ciphers = {number: AESGCM(key.reveal()) for number, (_, key) in keys.items()}
        self._newest: dict[Purpose, int] = {}
        for number, (purpose, _) in sorted(keys.items()):
            self._newest[purpose] = number
        missing = [purpose.value for purpose in Purpose if purpose not in self._newest]
        if missing:
            raise StateError(f"the database has no data key for {', '.join(missing)}")
        self.row_mac_key = keys[self._newest[Purpose.ROW_MAC]][1].reveal()
        self._fingerprint_key = keys[self._newest[Purpose.FINGERPRINT]][1].reveal()
        self._random = random

    def wrap(
        self, purpose: Purpose, table: str, row: int, column: str, version: int, value: bytes
    ) -> bytes:
        """``value`` encrypted for exactly this place in the database."""
        number = self._newest[purpose]
        nonce = self._random(_NONCE_BYTES)
        associated = _associated(table, row, column, version, number)
        return (
            _FORMAT
            + number.to_bytes(4, "big")
            + nonce
            + self._ciphers[number].encrypt(nonce, value, associated)
        )

    def unwrap(self, table: str, row: int, column: str, version: int, wrapped: bytes) -> bytes:
        """The value wrapped for this place.

        Raises:
            StateError: it was changed, moved, or wrapped by a key that is not here.
        """
        number = int.from_bytes(wrapped[1:5], "big")
        cipher = self._ciphers.get(number)
        if wrapped[:1] != _FORMAT or cipher is None:
            raise StateError(f"{table} {row}: {column} was wrapped by an unknown data key")
        try:
            return cipher.decrypt(
                wrapped[5:_HEADER_BYTES],
                wrapped[_HEADER_BYTES:],
                _associated(table, row, column, version, number),
            )
        except InvalidTag:
            raise StateError(f"{table} {row}: {column} does not authenticate") from None

    def fingerprint(self, key: bytes) -> bytes:
        """16 bytes that tell whether two keys are equal, and nothing without the data key."""
        return hmac.digest(self._fingerprint_key, key, "sha256")[:16]


def _associated(table: str, row: int, column: str, version: int, key: int) -> bytes:
    return f"jrc1|{table}|{row}|{column}|{version}|{key}".encode()


def kek_id(kek: Secret) -> bytes:
    """8 bytes that name a key encryption key without giving it away."""
    return hmac.digest(kek.reveal(), b"jrc key encryption key", hashlib.sha256)[:8]


def new_data_keys(
    kek: Secret, random: RandomBytes = os.urandom, *, first_id: int = 1
) -> list[WrappedDataKey]:
    """One fresh data key a purpose, wrapped under ``kek``."""
    cipher = AESGCM(kek.reveal())
    name = kek_id(kek)
    keys = []
    for number, purpose in enumerate(Purpose, start=first_id):
        nonce = random(_NONCE_BYTES)
        associated = _data_key_associated(number, purpose)
        wrapped = _FORMAT + nonce + cipher.encrypt(nonce, random(KEY_BYTES), associated)
        keys.append(WrappedDataKey(number, purpose, name, wrapped))
    return keys


def open_keyring(
    kek: Secret, keys: Iterable[WrappedDataKey], random: RandomBytes = os.urandom
) -> Keyring:
    """The keyring of a database.

    Raises:
        OperatorError: ``kek`` is not the key this database was sealed with.
    """
    cipher = AESGCM(kek.reveal())
    opened: dict[int, tuple[Purpose, Secret]] = {}
    for key in keys:
        check_kek(kek, key.kek_id)
        opened[key.id] = (key.purpose, _open_data_key(cipher, key))
    return Keyring(opened, random)


def check_kek(kek: Secret, wanted: bytes) -> None:
    """Nothing, if ``wanted`` is the name of ``kek``.

    Raises:
        OperatorError: it is another's.
    """
    name = kek_id(kek)
    if name != wanted:
        raise OperatorError(
            "keys.kek_file: this is not the key encryption key that the database was made with"
            f" (the database names {wanted.hex()}, the file holds {name.hex()})",
            "put the right file in place; without it the stored keys can't be opened",
        )


def _open_data_key(cipher: AESGCM, key: WrappedDataKey) -> Secret:
    nonce = key.wrapped[1 : 1 + _NONCE_BYTES]
    try:
        value = cipher.decrypt(
            nonce, key.wrapped[1 + _NONCE_BYTES :], _data_key_associated(key.id, key.purpose)
        )
    except InvalidTag:
        raise StateError(f"data key {key.id} ({key.purpose}) does not authenticate") from None
    return Secret(value)


def _data_key_associated(number: int, purpose: Purpose) -> bytes:
    return f"jrc1|data_key|{number}|{purpose}".encode()


def new_kek_text(random: RandomBytes = os.urandom) -> str:
    """The contents of a fresh key encryption key file: 64 hex digits and a newline."""
    return random(KEY_BYTES).hex() + "\n"


def read_kek(path: Path, *, setting: str = "keys.kek_file") -> Secret:
    """The key encryption key in ``path``.

    Raises:
        OperatorError: the file is missing, readable by others, or holds something else.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read(4096)
    except FileNotFoundError:
        raise OperatorError(
            f"{setting}: {path} does not exist",
            "put the key encryption key there; `jrc init` makes one for a new database",
        ) from None
    except OSError as error:
        raise OperatorError(f"{setting}: {path} can't be read ({error.strerror})") from None
    if mode & 0o077:
        raise OperatorError(
            f"{setting}: {path} can be read by others (mode {mode:04o})",
            f"run: chmod 600 {path}",
        )
    return _parse_kek(text, path, setting)


def _parse_kek(text: bytes, path: Path, setting: str) -> Secret:
    try:
        value = bytes.fromhex(text.decode("ascii").strip())
    except ValueError:
        value = b""
    if len(value) != KEY_BYTES:
        raise OperatorError(
            f"{setting}: {path} does not hold a key encryption key (64 hex digits)",
            "restore the file that `jrc init` made",
        )
    return Secret(value)
