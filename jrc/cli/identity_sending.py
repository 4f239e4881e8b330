"""What was seen of devices, given to the registrar."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from jrc.cli.answers import records
from jrc.cli.client import Api
from jrc.cli.output import Record

AT_ONCE: Final = 200
"""As many as a request takes (``admin/identities.py``)."""


class Seen(NamedTuple):
    """A credential that a device showed: identifier in hex, CBOR; ``where`` it was read."""

    pledge_id: str
    credential: bytes
    provenance: str
    where: str


def record_identities(api: Api, seen: Sequence[Seen], reason: str) -> Iterator[Record]:
    """What became of each, in their order: ``outcome`` is new, same, superseded or refused.

    One that is refused has ``error`` and ``hint``, and hinders none of the others.

    Raises:
        OperatorError: the registrar took none of them, nor of those that follow.
    """
    for at in range(0, len(seen), AT_ONCE):
        some = [
            {
                "pledge_id": each.pledge_id,
                "credential": each.credential.hex(),
                "provenance": each.provenance,
                "where": each.where,
            }
            for each in seen[at : at + AT_ONCE]
        ]
        done = api.post("/v1/identities/batch", {"identities": some, "reason": reason})
        yield from records(done["identities"])
