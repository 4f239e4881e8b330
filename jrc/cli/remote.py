"""A registrar on another host, reached over the API on TCP (docs/api.md)."""

import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx

from jrc.cli.keyfiles import STDIN, text_of, warn_if_readable
from jrc.errors import ExitCode, OperatorError
from jrc.model import Secret

DEFAULT_PORT: Final = 9633
_TOKEN: Final = re.compile(r"jrc_[A-Za-z0-9_-]{43}")
_PORT: Final = re.compile(r":[0-9]+$")


@dataclass(frozen=True, slots=True)
class Remote:
    """What was said of it: where it is, whose token is shown, and who vouches for it."""

    url: str
    token_file: str | None = None
    ca: str | None = None

    @property
    def base_url(self) -> str:
        """Where its API begins.

        Raises:
            OperatorError: the URL names none.
        """
        parts = urlsplit(self.url)
        is_plain = not (parts.username or parts.password or parts.query or parts.fragment)
        if parts.scheme != "https" or not parts.netloc or not is_plain or parts.path.strip("/"):
            raise OperatorError(
                "--url is none of a registrar",
                f"write it as https://router.example.org:{DEFAULT_PORT}",
                exit_code=ExitCode.USAGE,
            )
        port = "" if _PORT.search(parts.netloc) else f":{DEFAULT_PORT}"
        return f"https://{parts.netloc}{port}"

    def token(self, environ: Mapping[str, str] = os.environ) -> Secret:
        """The token: the first line of the file, or what $JRC_TOKEN has.

        Raises:
            OperatorError: there is neither, or it is no token.
        """
        if self.token_file is not None:
            text, where = (_text(self.token_file).splitlines() or [""])[0], self.token_file
        else:
            text, where = environ.get("JRC_TOKEN", ""), "$JRC_TOKEN"
        if not text:
            raise OperatorError(
                "the registrar wants a token",
                "say --token-file FILE, or set $JRC_TOKEN; `jrc token add` on its host makes one",
                exit_code=ExitCode.USAGE,
            )
        if _TOKEN.fullmatch(text.strip()) is None:
            raise OperatorError(
                f"{where} holds no token",
                "it is what `jrc token add` gave: jrc_ and 43 characters",
            )
        return Secret(text.strip().encode())

    def with_token(self) -> "Remote":
        """The same for a command that connects again and again: its token is read now, and once.

        Raises:
            OperatorError: see ``token``.
        """
        return _WithToken(self.url, self.token_file, self.ca, self.token())

    def context(self) -> ssl.SSLContext:
        """TLS 1.3, with the registrar's certificate checked.

        Raises:
            OperatorError: the file of --ca holds no certificate.
        """
        try:
            context = ssl.create_default_context(cafile=self.ca)
        except (OSError, ssl.SSLError) as error:
            raise OperatorError(
                f"--ca: {self.ca} can't be used ({getattr(error, 'strerror', None) or error})",
                "name a PEM file with the certificate of who signed the registrar's",
            ) from None
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return context

    def unreachable(self, error: httpx.TransportError) -> OperatorError:
        """What to say where it does not answer."""
        text = str(error)
        if "CERTIFICATE_VERIFY_FAILED" in text:
            why = text.partition("certificate verify failed: ")[2].partition(" (_ssl")[0] or text
            return OperatorError(
                f"{self.base_url} has a certificate that does not count: {why}",
                "say --ca FILE with the certificate of who signed it, and the name that is in it",
                exit_code=ExitCode.UNREACHABLE,
            )
        return OperatorError(
            f"{self.base_url} can't be reached ({text or type(error).__name__})",
            "see whether the registrar runs and its [api] listens there; `jrc events` tells what"
            " was done",
            exit_code=ExitCode.UNREACHABLE,
        )


@dataclass(frozen=True, slots=True)
class _WithToken(Remote):
    """One whose token is known."""

    known: Secret = field(default_factory=lambda: Secret(b""))

    def token(self, environ: Mapping[str, str] = os.environ) -> Secret:
        """As ``Remote.token``."""
        return self.known


def _text(name: str) -> str:
    if name != STDIN:
        try:
            with Path(name).open("rb") as file:
                warn_if_readable(file, name, "a token")
        except OSError as error:
            raise OperatorError(f"{name} can't be read ({error.strerror})") from None
    return text_of(name)
