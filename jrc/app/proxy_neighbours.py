"""What this host does for a Join Proxy's neighbours, as a line in the log (RFC 9031 §5.1, §6)."""

import structlog

from jrc.errors import OperatorError
from jrc.net.interfaces import look
from jrc.net.neighbours import probe

_log = structlog.get_logger("jrc")


async def say_neighbours(interface: str) -> None:
    """Log what was found, which `jrc doctor` explains; where nothing was, say that."""
    try:
        found, facts = await look(interface), await probe()
    except (OperatorError, OSError) as error:
        _log.warning("proxy_neighbours", interface=interface, unknown=str(error))
        return
    _log.info(
        "proxy_neighbours",
        interface=interface,
        kind=None if found is None else found.kind.value,
        apart_from_joined_nodes=False,
        entries_at_most=facts.max_entries,
        link_layer_protection_settable=facts.takes_keys,
    )
