"""Keys at rest: slot key -> key encryption key -> data keys by purpose -> rows.

A wrapped value is ``format (1) || data key id (4) || nonce (12) || AES-256-GCM ciphertext``. Its
associated data names table, row, column and version, so that a value moved elsewhere in the
database does not open. What stays in memory is the data keys; the key encryption key is dropped.
How slots hold that is in ``keyslots.py``, how keys are changed in ``rotation.py``.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from jrc.errors import StateError
from jrc.model import Secret
from jrc.store.keyfile import KEY_BYTES
from jrc.store.keyslots import RandomBytes, kek_id
from jrc.store.rowmac import RowMac

LOOK_AGAIN_S = 1.0
"""How often at most a value that does not open makes the data keys be read anew."""
_FORMAT = b"\x01"
_NONCE_BYTES = 12
_HEADER_BYTES = 1 + 4 + _NONCE_BYTES
_FINGERPRINT_BYTES = 16


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


OpenedKeys = Mapping[int, tuple[Purpose, Secret]]


class _Held(NamedTuple):
    """One set of data keys, replaced as a whole: other threads wrap and unwrap meanwhile."""

    ciphers: Mapping[int, AESGCM]
    newest: Mapping[Purpose, int]
    fingerprinting: blake2b
    """Begun once with its key, and not for each of a million fingerprints."""


class Keyring:
    """The opened data keys: wraps and unwraps values, gives the row MAC and fingerprints.

    ``read_again`` gives the data keys that the database has now, or None where those are the ones
    with the ids it is given: another registrar on the same database may have changed them.
    """

    def __init__(self, keys: OpenedKeys, random: RandomBytes = os.urandom) -> None:
        self.random = random
        self._lock = threading.Lock()
        self._looked_at_s = float("-inf")
        self.read_again: Callable[[frozenset[int]], OpenedKeys | None] | None = None
        self.is_outdated = False
        """Set by a transaction that changes data keys; whoever ran it calls ``renew``."""
        self._held, mac_keys = _sorted(keys)
        self._ids = frozenset(keys)
        self.mac = RowMac(*mac_keys)
        self.mac.look_again = self.look_again

    @property
    def ids(self) -> frozenset[int]:
        """The ids of the data keys."""
        return self._ids

    @property
    def has_retired(self) -> bool:
        """Whether there are older data keys beside those in force: a rotation is under way."""
        return len(self._ids) > len(Purpose)

    def newest(self, purpose: Purpose) -> int:
        """The id of the data key that new values of a purpose are wrapped by."""
        return self._held.newest[purpose]

    def take(self, keys: OpenedKeys) -> None:
        """Go on with these data keys, in every thread."""
        held, mac_keys = _sorted(keys)
        self._held, self._ids = held, frozenset(keys)
        self.mac.take(*mac_keys)

    def renew(self) -> None:
        """Read the data keys anew, after a transaction of this process has changed them."""
        self.is_outdated = False
        if self.read_again is not None:
            keys = self.read_again(self._ids)
            if keys is not None:
                self.take(keys)

    def look_again(self, *, at_once: bool = False) -> bool:
        """Whether the database has other data keys by now, which are taken; at most once a second.

        A damaged row would otherwise let everybody who asks for it read them again. ``at_once`` is
        for a row without which nothing goes on.
        """
        with self._lock:
            now_s = time.monotonic()
            is_early = now_s - self._looked_at_s < LOOK_AGAIN_S and not at_once
            if self.read_again is None or is_early:
                return False
            self._looked_at_s = now_s
            keys = self.read_again(self._ids)
            if keys is not None:
                self.take(keys)
        return keys is not None

    def wrap(
        self, purpose: Purpose, table: str, row: int, column: str, version: int, value: bytes
    ) -> bytes:
        """``value`` encrypted for exactly this place in the database."""
        (wrapped,) = self.wrap_rows(purpose, table, column, version, [row], [value])
        return wrapped

    def wrap_rows(
        self,
        purpose: Purpose,
        table: str,
        column: str,
        version: int,
        rows: Sequence[int],
        values: Sequence[bytes],
    ) -> list[bytes]:
        """As ``wrap``, for many rows of a table."""
        held = self._held
        number = held.newest[purpose]
        head, encrypt = _FORMAT + number.to_bytes(4, "big"), held.ciphers[number].encrypt
        drawn = self.random(_NONCE_BYTES * len(values))
        associated = _associated_rows(table, column, version, number)
        wrapped = []
        for at, row, value in zip(range(0, len(drawn), _NONCE_BYTES), rows, values, strict=True):
            nonce = drawn[at : at + _NONCE_BYTES]
            wrapped.append(head + nonce + encrypt(nonce, value, associated % row))
        return wrapped

    def unwrap(self, table: str, row: int, column: str, version: int, wrapped: bytes) -> bytes:
        """The value wrapped for this place.

        Raises:
            StateError: it was changed, moved, or wrapped by a key that is not here.
        """
        number = wrapping_key(wrapped)
        cipher = self._held.ciphers.get(number)
        if cipher is None and wrapped[:1] == _FORMAT:
            self.look_again()  # or another thread has, right now
            cipher = self._held.ciphers.get(number)
        if wrapped[:1] != _FORMAT or cipher is None:
            raise StateError(f"{table} {row}: {column} was wrapped by an unknown data key")
        try:
            return cipher.decrypt(
                wrapped[5:_HEADER_BYTES],
                wrapped[_HEADER_BYTES:],
                _associated_rows(table, column, version, number) % row,
            )
        except InvalidTag:
            raise StateError(f"{table} {row}: {column} does not authenticate") from None

    def fingerprint(self, key: bytes) -> bytes:
        """16 bytes that tell whether two keys are equal, and nothing without the data key."""
        (fingerprint,) = self.fingerprints([key])
        return fingerprint

    def fingerprints(self, keys: Iterable[bytes]) -> list[bytes]:
        """As ``fingerprint``, for many keys."""
        begin, found = self._held.fingerprinting.copy, []
        for key in keys:
            keyed = begin()
            keyed.update(key)
            found.append(keyed.digest())
        return found


def _sorted(keys: OpenedKeys) -> tuple[_Held, list[bytes]]:
    """Data keys by what they do, and those of the row MAC, newest first."""
    newest: dict[Purpose, int] = {}
    for number, (purpose, _) in sorted(keys.items()):
        newest[purpose] = number
    missing = [purpose.value for purpose in Purpose if purpose not in newest]
    if missing:
        raise StateError(f"the database has no data key for {', '.join(missing)}")
    ciphers = {number: AESGCM(key.reveal()) for number, (_, key) in keys.items()}
    of_macs = [
        key.reveal()
        for _, (purpose, key) in sorted(keys.items(), reverse=True)
        if purpose is Purpose.ROW_MAC
    ]
    of_fingerprints = keys[newest[Purpose.FINGERPRINT]][1].reveal()
    keyed = blake2b(digest_size=_FINGERPRINT_BYTES, key=of_fingerprints)
    return _Held(ciphers, newest, keyed), of_macs


def wrapping_key(wrapped: bytes) -> int:
    """The id of the data key that a value is wrapped by."""
    return int.from_bytes(wrapped[1:5], "big")


def _associated_rows(table: str, column: str, version: int, key: int) -> bytes:
    """The place of a wrapped value, with ``%d`` for its row."""
    return f"jrc1|{table}|%d|{column}|{version}|{key}".encode()


def new_data_keys(
    kek: Secret,
    random: RandomBytes = os.urandom,
    *,
    first_id: int = 1,
    purposes: Iterable[Purpose] = Purpose,
) -> list[WrappedDataKey]:
    """One fresh data key a purpose, wrapped under ``kek``."""
    return [
        wrap_data_key(kek, number, purpose, Secret(random(KEY_BYTES)), random)
        for number, purpose in enumerate(purposes, start=first_id)
    ]


def wrap_data_key(
    kek: Secret, number: int, purpose: Purpose, key: Secret, random: RandomBytes = os.urandom
) -> WrappedDataKey:
    """A data key under ``kek``, bound to its number and purpose."""
    nonce = random(_NONCE_BYTES)
    sealed = AESGCM(kek.reveal()).encrypt(
        nonce, key.reveal(), _data_key_associated(number, purpose)
    )
    return WrappedDataKey(number, purpose, kek_id(kek), _FORMAT + nonce + sealed)


def open_keyring(
    kek: Secret, keys: Iterable[WrappedDataKey], random: RandomBytes = os.urandom
) -> Keyring:
    """The keyring of a database.

    Raises:
        StateError: a data key does not authenticate, is under another key, or one is missing.
    """
    return Keyring(open_data_keys(kek, keys), random)


def open_data_keys(
    kek: Secret, keys: Iterable[WrappedDataKey]
) -> dict[int, tuple[Purpose, Secret]]:
    """The data keys by their ids.

    Raises:
        StateError: one does not authenticate, or is under another key encryption key.
    """
    cipher = AESGCM(kek.reveal())
    return {key.id: (key.purpose, _open_data_key(cipher, key)) for key in keys}


def _open_data_key(cipher: AESGCM, key: WrappedDataKey) -> Secret:
    nonce = key.wrapped[1 : 1 + _NONCE_BYTES]
    try:
        value = cipher.decrypt(
            nonce, key.wrapped[1 + _NONCE_BYTES :], _data_key_associated(key.id, key.purpose)
        )
    except (InvalidTag, ValueError):
        raise StateError(f"data key {key.id} ({key.purpose}) does not authenticate") from None
    return Secret(value)


def _data_key_associated(number: int, purpose: Purpose) -> bytes:
    return f"jrc1|data_key|{number}|{purpose}".encode()
