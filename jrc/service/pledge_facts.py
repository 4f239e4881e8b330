"""What the audit log says of a pledge: as it is, and before and after a change."""

from collections.abc import Mapping

from jrc.model import Network
from jrc.service.records import PledgeRecord, Standing
from jrc.service.wording import role_name

Networks = Mapping[int, Network]


def facts(networks: Networks, record: PledgeRecord) -> dict[str, object]:
    """A pledge's settings, without anything of its key."""
    return {
        "state": record.state.value,
        "networks": _names(networks, record),
        "role": role_name(record.role),
        "label": record.label,
        "profile": None if record.profile is None else record.profile.value,
    }


def differences(networks: Networks, before: PledgeRecord, after: PledgeRecord) -> dict[str, object]:
    """What differs, each as ``[before, after]``."""
    old, new = facts(networks, before), facts(networks, after)
    return {name: [old[name], new[name]] for name in new if old[name] != new[name]}


def holdings(networks: Networks, record: PledgeRecord, standing: Standing) -> dict[str, object]:
    """What a pledge has that is put out: its networks, and its short identifiers by key domain.

    ``joined`` is the network of which it is a node, None for none.
    """
    domains = {each.domain_id: each.domain for each in networks.values()}
    place = networks.get(standing.network_id or 0)
    return {
        "networks": _names(networks, record),
        "joined": None if place is None else place.name,
        "short_ids": {
            domains.get(each.domain_id, str(each.domain_id)): f"{each.value:04x}"
            for each in standing.leases
        },
    }


def _names(networks: Networks, record: PledgeRecord) -> list[str]:
    return [networks[number].name for number in record.network_ids if number in networks]
