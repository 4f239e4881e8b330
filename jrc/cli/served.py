"""What the config file may ask for and this version does not serve.

``jrc run`` asks here, so nothing here needs typer, rich or httpx.
"""

from collections.abc import Iterator

from jrc.config import Settings
from jrc.errors import OperatorError


def refuse_unserved(settings: Settings) -> None:
    """Returns if this version can work on the database that is named.

    Raises:
        OperatorError: it is on a server.
    """
    if settings.database.file is None:
        raise OperatorError(
            "database.url: PostgreSQL is not served by this version",
            "name a file: sqlite:////var/lib/jrc/jrc.db",
        )


def unserved(settings: Settings) -> Iterator[str]:
    """A sentence for each section that is there and changes nothing."""
    if settings.proxy is not None:
        yield "[proxy] is well-formed, and this version's `jrc run` starts no Join Proxy"
    if "rollover" in settings.model_fields_set:
        yield "[rollover] is well-formed, and this version changes no link-layer keys"
    if settings.installer:
        yield "[[installer]] is well-formed, and this version calls no installer"
