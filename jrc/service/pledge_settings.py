"""The operator's hand on what a pledge is called and what it can take; its key stays."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from jrc.errors import ExitCode, OperatorError
from jrc.model import Event, PledgeId, Profile
from jrc.policy.profiles import TRAITS, check_role
from jrc.service.applicants import UnfitError, check_label
from jrc.service.enroll import Changed, find_pledge, settle
from jrc.service.key_domains import check_profile
from jrc.service.networks import KEEP, Unset
from jrc.service.pledge_facts import differences
from jrc.service.pledges import profile_in_force
from jrc.service.records import PledgeRecord
from jrc.service.registry import Registry
from jrc.service.wording import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class PledgeChanges:
    """What to change about a pledge; ``KEEP`` leaves it. Profile None is that of its network."""

    profile: Profile | Unset | None = KEEP
    label: str | Unset = KEEP


def plan_pledge_change(tx: Registry, identifier: PledgeId, changes: PledgeChanges) -> Plan:
    """What a change means for the pledge.

    Raises:
        OperatorError: the pledge is unknown, or the change is refused.
    """
    record = find_pledge(tx, identifier)
    return _plan(tx, record, _changed(tx, record, changes))


def set_pledge(
    tx: Registry,
    identifier: PledgeId,
    changes: PledgeChanges,
    *,
    actor: str,
    reason: str = "",
    agreed: bool = False,
) -> Changed:
    """Change a pledge. One that has to join again counts as joined no more until it has.

    Raises:
        OperatorError: the change is refused, or its plan needs consent and was not agreed to.
    """
    record = find_pledge(tx, identifier)
    wanted = _changed(tx, record, changes)
    if wanted != record:
        _plan(tx, record, wanted).require(agreed)
        settle(tx, record, wanted, None)
        detail = differences(tx.networks.all(), record, wanted)
        tx.record(Event("pledge.changed", actor, identifier.value, reason=reason, detail=detail))
        tx.policy_changed()
    state = find_pledge(tx, identifier).state.value
    return Changed(pledge_id=str(identifier), state=state, changed=wanted != record)


def _changed(tx: Registry, record: PledgeRecord, changes: PledgeChanges) -> PledgeRecord:
    profile = record.profile if changes.profile is KEEP else changes.profile
    label = record.label if changes.label is KEEP else changes.label
    try:
        check_label(label)
    except UnfitError as error:
        raise OperatorError(
            f"label: {error}", error.fault.hint, exit_code=ExitCode.REFUSED
        ) from None
    if profile is not None:
        check_role(profile, record.role)
        networks = tx.networks.all()
        for number in record.network_ids:
            if number in networks:
                check_profile(tx, networks[number], profile)
    return replace(record, profile=profile, label=label)


def _plan(tx: Registry, record: PledgeRecord, wanted: PledgeRecord) -> Plan:
    name = record.identifier.hex()
    if wanted == record:
        return Plan((f"Pledge {name} is so already.",), (name,), 1)
    has_joined = tx.pledges.standing([record])[record.id].network_id is not None
    if record.profile is wanted.profile or not has_joined:
        return Plan((f"Pledge {name} is changed.",), (name,), 1)
    sentence = (
        f"Pledge {name} has joined; with another profile it has to join again, and until then"
        " nothing can be sent to it."
    )
    sentences = (sentence, *_without_keys(tx, record, wanted))
    return Plan(sentences, (name,), 1, needs_consent=True)


def _without_keys(tx: Registry, record: PledgeRecord, wanted: PledgeRecord) -> Iterator[str]:
    """What becomes of keys that it has, where its new profile takes none."""
    networks = tx.networks.all()
    before, after = (TRAITS[profile_in_force(each, networks)] for each in (record, wanted))
    if not before.takes_keys or after.takes_keys:
        return
    place = tx.pledges.standing([record])[record.id].network_id
    network = None if place is None else networks.get(place)
    if network is None:
        return
    yield (
        "It is told no link-layer keys from then on, and gives its short identifier back; those it"
        f" was told are good until `jrc rollover start {network.name}` has changed them."
    )
    if tx.rollovers.running(network.domain_id) is not None:
        yield f"The change of keys in {network.name} that is under way goes on without it."
