"""The operator's approval of pledges that wait (RFC 9031 §8.4.1): once for a network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jrc.errors import ExitCode, OperatorError
from jrc.model import Admission, Event, Network, PledgeId, PledgeState
from jrc.service.enroll import find_pledge
from jrc.service.network_reports import find_network
from jrc.service.network_settings import refused
from jrc.service.records import PledgeRecord
from jrc.service.registry import Registry
from jrc.service.wording import listed, utc_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """Which network lets the pledge in; ``changed`` is False where it did so before."""

    pledge_id: str
    network: str
    changed: bool


def approve_pledge(
    tx: Registry,
    identifier: PledgeId,
    *,
    network: str | None = None,
    actor: str,
    reason: str = "",
) -> Approved:
    """Let a pledge into the network it waits for, from its next request on.

    With ``network``, also one that has not asked yet. Nothing has to be done again when it joins
    again later; a new key, revoking, and losing the network end an approval.

    Raises:
        OperatorError: it is unknown, damaged or revoked, waits for none or several, or the
            network is not one of its own or approves nobody.
    """
    record = find_pledge(tx, identifier)
    if record.state in (PledgeState.REVOKED, PledgeState.SUPERSEDED):
        raise refused(
            f"pledge {identifier} is {record.state.value}", "`jrc pledge restore` comes first"
        )
    chosen = _waited_for(tx, record) if network is None else _own(tx, record, network)
    entry = tx.admissions.find(record.id, chosen.id)
    if entry is not None and entry.admitted_at_ms is not None:
        return Approved(pledge_id=str(identifier), network=chosen.name, changed=False)
    tx.admissions.admit(record.id, chosen.id)
    asked = None if entry is None else utc_text(entry.asked_at_ms)
    detail = {"admitted": [False, True], "asked": asked}
    tx.record(Event("pledge.approved", actor, identifier.value, chosen.name, reason, detail))
    tx.policy_changed()
    return Approved(pledge_id=str(identifier), network=chosen.name, changed=True)


def _waited_for(tx: Registry, record: PledgeRecord) -> Network:
    """The one network that a pledge waits for, or the only one that approves it at all.

    Raises:
        OperatorError: there are several, or none.
    """
    networks = tx.networks.all()
    waiting = tx.pledges.standing([record])[record.id].waiting
    asked = [networks[each.network_id] for each in waiting if each.network_id in networks]
    found = asked or _that_approve(record, networks)
    if len(found) == 1 and (asked or _is_admitted(tx, record, found[0])):
        return found[0]
    if asked:
        names = listed(network.name for network in asked)
        raise OperatorError(
            f"pledge {record.identifier.hex()} waits for {names}",
            "say for which one: --network NAME",
            exit_code=ExitCode.USAGE,
        )
    raise refused(
        f"pledge {record.identifier.hex()} does not wait for approval",
        "`jrc pledge list --state waiting` shows who does; --network NAME approves one ahead",
    )


def _that_approve(record: PledgeRecord, networks: Mapping[int, Network]) -> Sequence[Network]:
    own = (networks[number] for number in record.network_ids if number in networks)
    return [network for network in own if network.admission is Admission.APPROVAL]


def _is_admitted(tx: Registry, record: PledgeRecord, network: Network) -> bool:
    entry = tx.admissions.find(record.id, network.id)
    return entry is not None and entry.admitted_at_ms is not None


def _own(tx: Registry, record: PledgeRecord, name: str) -> Network:
    """A network of the pledge's by its name.

    Raises:
        OperatorError: it is not one of the pledge's, or approves nobody.
    """
    network = find_network(tx, name)
    if network.id not in record.network_ids:
        raise refused(
            f"pledge {record.identifier.hex()} may not join network {name}",
            "`jrc pledge add --on-conflict replace --network NAME` gives it other networks",
        )
    if network.admission is not Admission.APPROVAL:
        raise refused(
            f"network {name} admits by {network.admission.value}: there is nothing to approve",
            f"`jrc network set {name} --admission approval` makes it admit who is approved",
        )
    return network
