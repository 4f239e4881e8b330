"""Looking at devices' public credentials: listings in pages, and the history of one."""

from dataclasses import dataclass

from jrc.errors import OperatorError
from jrc.model import PledgeId
from jrc.service.identity_shown import CredentialShown, shown
from jrc.service.identity_store import IdentityRecord
from jrc.service.network_reports import find_network
from jrc.service.pledges import PledgeReport, reports_of_pledges
from jrc.service.registry import Registry

PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityReport:
    """A device's credential in force.

    ``state``, ``label``, ``networks`` and ``address`` are of the pledge with this identifier, None
    where there is none.
    """

    pledge_id: str
    state: str | None
    label: str | None
    networks: tuple[str, ...]
    address: str | None
    identity: CredentialShown


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityDetails:
    """A device's credentials, oldest first; ``identity`` is that in force."""

    pledge_id: str
    state: str | None
    identity: CredentialShown | None
    history: tuple[CredentialShown, ...]


@dataclass(frozen=True, slots=True)
class IdentityPage:
    """Some of a listing, and the device after which the next page begins."""

    identities: tuple[IdentityReport, ...]
    next: str | None


def list_identities(
    tx: Registry, *, network: str | None = None, after: PledgeId | None = None, limit: int = PAGE
) -> IdentityPage:
    """Credentials in force in the order of devices; with ``network`` those of its pledges alone.

    A page may have fewer than ``limit`` and not be the last one. What was damaged is left out.

    Raises:
        OperatorError: there is no such network.
    """
    if network is not None:
        find_network(tx, network)
    found = tx.identities.page(after=None if after is None else after.value, limit=limit)
    pledges = reports_of_pledges(tx, [each.identifier for each in found])
    shown = (
        _report(each, pledges.get(each.identifier))
        for each in found
        if not each.damaged and _is_of(pledges.get(each.identifier), network)
    )
    return IdentityPage(tuple(shown), found[-1].identifier.hex() if len(found) == limit else None)


def show_identity(tx: Registry, identifier: PledgeId) -> IdentityDetails:
    """The credentials that a device has and had.

    Raises:
        OperatorError: none was ever seen.
    """
    history = tx.identities.history(identifier.value)
    if not history:
        raise OperatorError(
            f"no identity of device {identifier} was ever recorded",
            "`jrc identity list` shows those that were; `jrc identity add` takes one",
        )
    pledge = reports_of_pledges(tx, [identifier.value]).get(identifier.value)
    return IdentityDetails(
        pledge_id=str(identifier),
        state=None if pledge is None else pledge.state,
        identity=_in_force(history[-1]),
        history=tuple(map(shown, history)),
    )


def _in_force(newest: IdentityRecord) -> CredentialShown | None:
    return shown(newest) if newest.superseded_at_ms is None else None


def _is_of(pledge: PledgeReport | None, network: str | None) -> bool:
    return network is None or (pledge is not None and network in pledge.networks)


def _report(record: IdentityRecord, pledge: PledgeReport | None) -> IdentityReport:
    return IdentityReport(
        pledge_id=record.identifier.hex(),
        state=None if pledge is None else pledge.state,
        label=None if pledge is None else pledge.label,
        networks=() if pledge is None else pledge.networks,
        address=None if pledge is None else pledge.address,
        identity=shown(record),
    )
