"""The admin API on TCP: its server, its certificate, and tokens that somebody should look at."""

import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

import structlog

from jrc.admin.api_metrics import ApiCounts, Counted
from jrc.admin.certificate import Certificate
from jrc.admin.contract import App
from jrc.admin.gate import Gate
from jrc.admin.server import HttpServer, bind_tcp
from jrc.admin.services import Transactions
from jrc.admin.tls_server import tls_server
from jrc.app.part import Every
from jrc.config import Api
from jrc.errors import OperatorError, StateError
from jrc.service.tokens import good_hashes, lasting_tokens
from jrc.service.wording import utc_text

LOOK_EVERY_S: Final = 2.0
"""How long a new certificate may wait to be taken."""
SURVEY_EVERY_S: Final = 60.0

_log = structlog.get_logger("jrc")


class RemoteApi:
    """As ``app.part.Part``. ``app`` is the API as the admin socket has it."""

    name = "api"

    def __init__(
        self,
        section: Api,
        app: App,
        transactions: Transactions,
        counts: ApiCounts,
        every: Every,
        passed: Callable[[str, int], socket.socket | None] = lambda _host, _port: None,
    ) -> None:
        """``passed`` gives a socket of the service manager that listens at an address already."""
        self._passed = passed
        self._section = section
        self._transactions = transactions
        self._counts = counts
        self._every = every
        self._gate = Gate(app, transactions, counts)
        self._app = Counted(self._gate, counts, "tcp")
        self._certificate: Certificate | None = None
        self._server: HttpServer | None = None
        self._error: str | None = None
        self._lasting: Sequence[str] = ()

    async def start(self) -> None:
        """As ``Part.start``.

        Raises:
            OperatorError: the certificate is of no use, or the address can't be had.
        """
        place = self._section.listen
        self._certificate = Certificate(self._section.certificate, self._section.private_key)
        self._counts.expires_at_ms = self._certificate.expires_at_ms
        host = f"{place.host}%{place.scope}" if place.scope else place.host
        listener = self._passed(place.host, place.port) or bind_tcp("api", host, place.port)
        self._server = tls_server(self._app, listener, self._certificate, self._counts)
        await self._server.start()
        self._every(LOOK_EVERY_S, self.look)
        self._every(SURVEY_EVERY_S, self._survey)
        _log.info("api_listening", address=self.address, certificate_expires=self._expires())

    async def stop(self) -> None:
        """As ``Part.stop``."""
        if self._server is not None:
            await self._server.stop()
            self._server = None

    def changed(self) -> None:
        """As ``Part.changed``: each request looks at the database itself."""

    def status(self) -> Mapping[str, object]:
        """As ``Part.status``; ``error`` is why a changed certificate was not taken."""
        return {
            "listening": self.address,
            "certificate_expires": self._expires(),
            "error": self._error,
            "tokens_without_end": list(self._lasting),
        }

    @property
    def address(self) -> str | None:
        """Where it listens."""
        if self._server is None:
            return None
        return str(self._section.listen._replace(port=self._server.port))

    async def look(self) -> None:
        """Take the certificate that the files hold by now; one of no use changes nothing."""
        if self._certificate is None:
            return
        try:
            has_changed = self._certificate.look()
        except OperatorError as error:
            if self._error is None:
                _log.error("certificate_refused", error=error.message, hint=error.hint)
            self._error = error.message
            return
        self._error = None
        if has_changed:
            self._counts.expires_at_ms = self._certificate.expires_at_ms
            _log.info("certificate_taken", certificate_expires=self._expires())

    def _expires(self) -> str | None:
        return None if self._certificate is None else utc_text(self._certificate.expires_at_ms)

    async def _survey(self) -> None:
        # What else is wrong with the database others tell.
        with suppress(OperatorError, StateError):
            self._lasting = await self._transactions.run_read(lasting_tokens)
            self._gate.know(await self._transactions.run_read(good_hashes))
