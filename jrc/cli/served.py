"""What the config file may ask for and this version does not serve.

``jrc run`` asks here, so nothing here needs typer, rich or httpx.
"""

from collections.abc import Iterator

from jrc.config import Settings
from jrc.errors import OperatorError


def refuse_unserved(settings: Settings) -> None:
    """Returns if this version can work on the database and with the installers that are named.

    Raises:
        OperatorError: it is on a server; an installer is of a kind that is not there yet.
    """
    if settings.database.file is None:
        raise OperatorError(
            "database.url: PostgreSQL is not served by this version",
            "name a file: sqlite:////var/lib/jrc/jrc.db",
        )
    for place, section in enumerate(settings.installer):
        if section.kind != "exec":
            raise OperatorError(
                f"installer[{place}].kind: {section.kind!r} is not served by this version",
                'use kind = "exec" with a program that sets the keys',
            )


def unserved(settings: Settings) -> Iterator[str]:
    """A sentence for each section that is there and changes nothing."""
    if "rollover" in settings.model_fields_set:
        yield "[rollover] is well-formed, and this version changes no link-layer keys"
