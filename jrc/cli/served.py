"""What the config file may ask for and this version does not serve.

``jrc run`` asks here, so nothing here needs typer, rich or httpx.
"""

from jrc.config import Settings
from jrc.errors import OperatorError


def refuse_unserved(settings: Settings) -> None:
    """Returns if this version can work on the database.

    Raises:
        OperatorError: it is on a server.
    """
    if settings.database.file is None:
        raise OperatorError(
            "database.url: PostgreSQL is not served by this version",
            "name a file: sqlite:////var/lib/jrc/jrc.db",
        )
