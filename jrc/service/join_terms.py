"""What a join is answered with, worked out once for all pledges of a kind (RFC 9031 §8.4.2)."""

from collections.abc import Collection

from jrc.cojp.codec import ConfigurationForm
from jrc.cojp.constants import Label, Role
from jrc.cojp.objects import JoinRequest
from jrc.errors import Reason
from jrc.model import Admission, Network, Pledge
from jrc.policy import admission
from jrc.policy.keys import keys_for_join
from jrc.policy.profiles import TRAITS, Traits
from jrc.policy.rollover import NodeState, Phase
from jrc.policy.settings import place_number
from jrc.service.join_ports import (
    JoinedMeanwhile,
    JoinTransaction,
    KnownContext,
    LiveKeys,
    NodePlace,
    Terms,
)

_LABELS = frozenset(Label)
"""What terms can differ by; a pledge may report labels that nobody has heard of (§8.4.5)."""


class SilenceError(Exception):
    """The request verified, and yet nothing may be sent."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


def terms_of(
    tx: JoinTransaction, known: KnownContext, request: JoinRequest
) -> Terms | admission.Refused:
    """What pledges of this kind get, worked out once for all of them (RFC 9031 §8.4.2)."""
    pledge, left_out = known.pledge, known.left_out
    if request.unsupported:
        left_out = admission.reported_labels(left_out, request.unsupported) & _LABELS
    kind = (
        request.network_identifier,
        request.role,
        pledge.network_ids,
        pledge.role,
        pledge.profile,
        left_out,
    )
    terms = tx.policy.terms.get(kind)
    if terms is not None:
        return terms
    decision = admission.decide(request, pledge, tx.policy.networks, left_out)
    if isinstance(decision, admission.Refused):
        # Not kept: a pledge may ask for any identifier.
        return decision
    terms = _terms_in(tx, decision.network, pledge, request.role, left_out)
    tx.policy.terms[kind] = terms
    return terms


def _terms_in(
    tx: JoinTransaction, network: Network, pledge: Pledge, role: int, left_out: frozenset[int]
) -> Terms:
    keys = tx.policy.keys.get(network.domain_id)
    if keys is None:
        raise SilenceError(Reason.NO_KEYS)
    profile = pledge.profile or network.profile
    traits = TRAITS[profile]
    told = traits.labels - left_out
    if Label.JRC_ADDRESS in told and network.jrc_address is None and network.jrc_address_from:
        # Left out, it would mean that the 6LBR is the registrar (RFC 9031 §8.4.2).
        raise SilenceError(Reason.NO_JRC_ADDRESS)
    leased = Label.SHORT_IDENTIFIER in told
    # It is for a Join Proxy that has a table of neighbours; nodes can't hold such a list.
    is_told = role == Role.LBR and Label.BLOCKLIST in told
    blocked = tx.policy.blocked_in(network.id) if is_told else None
    told_keys = (
        keys_for_join(keys.current, keys.previous, role, traits.max_told_keys)
        if traits.takes_keys
        else ()
    )
    configuration = admission.configuration_for(
        network, told_keys, 0 if leased else None, left_out, profile, blocked
    )
    number = _place_number(tx, network, role, told)
    place = NodePlace(network.id, role, keys.generation_id if told_keys else None, number)
    generation = keys.current.generation if told_keys else "null"
    detail = f'{{"generation":{generation},"role":{role},"short_id":'
    form = ConfigurationForm(configuration, explicit_usage=traits.explicit_usage)
    gated = network.admission is not Admission.KNOWN or role == Role.LBR
    knows_all = len(told_keys) == len(keys.current.keys)
    comes_into = _comes_into(network, keys, role, traits, knows_all=knows_all)
    return Terms(network, keys, place, form, leased, detail, gated, comes_into)


def _place_number(tx: JoinTransaction, network: Network, role: int, told: Collection[Label]) -> int:
    """What is noted of the settings that a Join Response says, which is the same for all nodes.

    The blocklist of 6LNs and a join rate of one node alone come by update, soon after.
    """
    lacks_list = role != Role.LBR and network.id in tx.policy.blocking and Label.BLOCKLIST in told
    says_all = not lacks_list and network.id not in tx.policy.throttling
    number = tx.policy.settings_numbers.get(network.id, 0)
    return place_number(number, says_all=says_all)


def _comes_into(
    network: Network, keys: LiveKeys, role: int, traits: Traits, *, knows_all: bool
) -> JoinedMeanwhile | None:
    """What a running rollover hears of who joins; ``knows_all``: with the current set alone."""
    if keys.running is None or not traits.takes_keys:
        return None
    rollover_id, phase = keys.running
    has_switched = phase in (Phase.SWITCHING, Phase.GUARDING)
    # A switch ends when 6LBRs send with the new keys, and a Join Response may be lost (row E3).
    is_asked = phase is Phase.SWITCHING and role == Role.LBR and traits.takes_updates
    if has_switched and knows_all and not is_asked:
        state = NodeState.REACHED
    elif role == Role.NODE and not traits.takes_updates:
        state = NodeState.MUST_JOIN
    else:
        state = NodeState.PENDING
    is_due = state is NodeState.PENDING and (has_switched or role == Role.NODE)
    return JoinedMeanwhile(rollover_id, network.id, role, state, has_switched, is_due)
