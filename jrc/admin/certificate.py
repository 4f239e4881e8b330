"""The certificate of the API on TCP: read with its key, and anew when either file changes."""

import os
import ssl
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from jrc.errors import OperatorError

_SECTION: Final = "api"
_OTHERS: Final = 0o007
_Mark = tuple[tuple[int, int, int], tuple[int, int, int]]


@dataclass(frozen=True, slots=True)
class _Loaded:
    context: ssl.SSLContext
    expires_at_ms: int
    mark: _Mark


class Certificate:
    """Both files as they were when they last fitted each other.

    Raises:
        OperatorError: one can't be read, is what it should not be, or they do not fit.
    """

    def __init__(self, certificate: Path, private_key: Path) -> None:
        self._certificate = certificate
        self._private_key = private_key
        self._loaded = self._load()

    @property
    def context(self) -> ssl.SSLContext:
        """For the next handshake."""
        return self._loaded.context

    @property
    def expires_at_ms(self) -> int:
        """When it ends, in ms since 1970."""
        return self._loaded.expires_at_ms

    def look(self) -> bool:
        """Whether the files have changed, and are taken from now on.

        Raises:
            OperatorError: as for the class; what was read before stays in force.
        """
        if self._mark() == self._loaded.mark:
            return False
        self._loaded = self._load()
        return True

    def _load(self) -> _Loaded:
        mark = self._mark()
        _refuse_readable(self._private_key)
        expires_at_ms = expiry_of(self._certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.set_alpn_protocols(["http/1.1"])
        context.num_tickets = 0
        try:
            # Whoever is asked for a passphrase at a terminal is no daemon.
            context.load_cert_chain(self._certificate, self._private_key, password=lambda: b"-")
        except (OSError, ValueError) as error:
            raise OperatorError(
                f"{_SECTION}.certificate and {_SECTION}.private_key: {self._certificate} and"
                f" {self._private_key} do not make a pair ({_said(error)})",
                "name the PEM file of the chain, its own certificate first, and that of its key"
                " without a passphrase",
            ) from None
        return _Loaded(context, expires_at_ms, mark)

    def _mark(self) -> _Mark:
        return _mark_of("certificate", self._certificate), _mark_of(
            "private_key", self._private_key
        )


def expiry_of(path: Path) -> int:
    """When the first certificate in a PEM file ends, in ms since 1970.

    Raises:
        OperatorError: it can't be read, or holds none.
    """
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise _unreadable("certificate", path, error) from None
    except (ValueError, x509.InvalidVersion, UnsupportedAlgorithm):
        raise OperatorError(
            f"{_SECTION}.certificate: {path} holds no certificate",
            "name a PEM file: -----BEGIN CERTIFICATE-----",
        ) from None
    return int(found.not_valid_after_utc.timestamp() * 1000)


def _mark_of(key: str, path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise _unreadable(key, path, error) from None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _refuse_readable(path: Path) -> None:
    try:
        mode = stat.S_IMODE(os.stat(path).st_mode)
    except OSError as error:
        raise _unreadable("private_key", path, error) from None
    if mode & _OTHERS:
        raise OperatorError(
            f"{_SECTION}.private_key: everybody can get at {path} (mode {mode:04o})",
            f"run: chmod o= {path}",
        )


def _unreadable(key: str, path: Path, error: OSError) -> OperatorError:
    return OperatorError(
        f"{_SECTION}.{key}: {path} can't be read ({error.strerror})",
        "let the daemon's user read it, or name another",
    )


def _said(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    return str(reason or getattr(error, "strerror", None) or error)
