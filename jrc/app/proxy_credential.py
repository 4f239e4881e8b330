"""The Join Proxy's own credential, with which it joins as a 6LBR (RFC 9031 §3, §8.4.1)."""

import secrets
from collections.abc import Callable
from pathlib import Path

import structlog

from jrc.clock import SystemClock
from jrc.coap.proxy_node import ProxyNode
from jrc.coap.proxy_state import NodeState, read_psk
from jrc.cojp.objects import Configuration
from jrc.cojp.oscore_context import SecurityContext, derive_for_jrc
from jrc.config import Proxy
from jrc.errors import Reason
from jrc.model import PledgeId
from jrc.policy.addresses import interface_identifier

_log = structlog.get_logger("jrc")


class Credential:
    """Identifier, key and what must not be forgotten of them.

    Raises:
        OperatorError: the key can't be used.
    """

    def __init__(self, settings: Proxy, pledge_id: str, psk_file: Path) -> None:
        self._identifier = PledgeId.from_hex(pledge_id)
        self._psk = read_psk(psk_file, self._identifier)
        self._network = bytes.fromhex(settings.network_id or "")
        self._path = settings.state_file or _beside(psk_file)
        self._state: NodeState | None = None

    @classmethod
    def of(cls, settings: Proxy) -> "Credential | None":
        """What ``[proxy]`` names; None where it names none.

        Raises:
            OperatorError: as for the class.
        """
        if settings.pledge_id is None or settings.psk_file is None:
            return None
        return cls(settings, settings.pledge_id, settings.psk_file)

    def open(self) -> None:
        """Take possession of the state.

        Raises:
            OperatorError: it can't be used; with REFUSED, since another process has it.
        """
        self._state = NodeState.open(self._path, self._identifier.value, self._psk)
        if self._state.is_new:
            _log.info("proxy_state_made", file=str(self._path))

    def check(self) -> None:
        """That the state can be read; another process may have it.

        Raises:
            OperatorError: as for ``NodeState.check``.
        """
        NodeState.check(self._path, self._identifier.value, self._psk)

    @property
    def interface_identifier(self) -> int | None:
        """The low 64 bits of the address to which the registrar sends updates."""
        return interface_identifier(self._identifier, None)

    def node(
        self,
        send: Callable[[bytes], bool],
        configured: Callable[[Configuration, bool], None],
        dropped: Callable[[Reason], None],
    ) -> ProxyNode:
        """The node that joins with it, once it is open."""
        assert self._state is not None, "it is open"
        return ProxyNode(
            self._context(self._state.id_context or self._identifier.value),
            self._network,
            self._state,
            SystemClock(),
            secrets.token_bytes,
            send,
            configured,
            dropped,
            derive=self._context,
        )

    def _context(self, id_context: bytes) -> SecurityContext:
        """Its own side of the security context (RFC 9031 §7.3, RFC 8613 App. B.2)."""
        return derive_for_jrc(self._psk.reveal(), id_context).mirrored()

    def close(self) -> None:
        """Let another process have it."""
        if self._state is not None:
            self._state.close()


def _beside(psk_file: Path) -> Path:
    return psk_file.with_name(psk_file.name + ".state")
