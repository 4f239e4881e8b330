"""A device's public credential, as it is shown wherever the device is."""

from dataclasses import dataclass

from jrc.cojp.credential import edn, parse
from jrc.model import PledgeId
from jrc.service.identity_store import IdentityRecord
from jrc.service.registry import Registry
from jrc.service.wording import utc_text


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialShown:
    """A credential; bytes in hex, times in UTC, ``edn`` in diagnostic notation (RFC 8949 §8).

    ``thumbprint`` is the same wherever its key is the same. ``where`` it was read: a port, a file.
    """

    credential: str
    edn: str
    curve: str
    kid: str | None
    subject: str | None
    thumbprint: str
    provenance: str
    where: str
    recorded: str | None
    superseded: str | None


def identity_of(tx: Registry, identifier: PledgeId) -> CredentialShown | None:
    """The credential of a device that is in force, if there is one."""
    found = tx.identities.in_force([identifier.value]).get(identifier.value)
    return None if found is None or found.damaged else shown(found)


def shown(record: IdentityRecord) -> CredentialShown:
    """A credential as it is shown."""
    credential = parse(record.credential)
    return CredentialShown(
        credential=record.credential.hex(),
        edn=edn(record.credential),
        curve=credential.curve,
        kid=None if credential.kid is None else credential.kid.hex(),
        subject=credential.subject,
        thumbprint=record.thumbprint.hex(),
        provenance=record.provenance.value,
        where=record.place,
        recorded=utc_text(record.recorded_at_ms),
        superseded=utc_text(record.superseded_at_ms),
    )
