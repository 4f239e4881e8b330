"""Why an applicant is refused among the pledges that are there, in sentences; no key is said."""

from collections.abc import Mapping, Sequence

from jrc.model import Network, PledgeId, PledgeState
from jrc.service.applicants import Applicant, Fault, UnfitError, key_column
from jrc.service.damage import damage_hint, damage_sentence
from jrc.service.records import (
    CredentialState,
    Damage,
    KeyKind,
    KeyOwner,
    PledgeRecord,
    Withdrawn,
)
from jrc.service.wording import listed

DRAW_ANOTHER = "every pledge needs a key of its own, drawn at random"
UNDER_WAY = "is part of an import that is under way"
NO_NEW_KEY = (PledgeState.REVOKED, PledgeState.SUPERSEDED, PledgeState.TRANSFERRED)


def gets_no_key(identifier: PledgeId, record: PledgeRecord) -> UnfitError:
    """A pledge was put out, or is another owner's."""
    if record.state is PledgeState.TRANSFERRED:
        hint = f"`jrc pledge transfer in {identifier}` takes it back with a new key"
    else:
        hint = "`jrc pledge restore` or `jrc pledge remove` comes first"
    reason = f"pledge {identifier} is {record.state.value} and gets no new key"
    return UnfitError("pledge_id", reason, hint)


def with_key_in_force(identifier: PledgeId, record: PledgeRecord | None) -> PledgeRecord:
    """The record of a pledge beside whose key another one may wait.

    Raises:
        UnfitError: it is not there, or its key may not be used.
    """
    if record is None or record.state is PledgeState.REMOVED:
        raise UnfitError(
            "pledge_id",
            f"pledge {identifier} has no key in force, beside which another one could wait",
            "leave --pending-firmware out: its first key is in force at once",
        )
    if record.state in NO_NEW_KEY:
        raise gets_no_key(identifier, record)
    return record


def conflict(
    applicant: Applicant,
    source: str,
    same_key: bool,
    differing: Sequence[str],
    hint: str = "--on-conflict skip keeps what is there, replace takes the new one",
) -> UnfitError:
    """Names both: the pledge that is there with its source, and this one (row A1)."""
    there = f" ({source})" if source else ""
    identifier = applicant.identifier
    if not same_key:
        reason = f"pledge {identifier} is there already with another key{there}"
        return UnfitError(key_column(applicant), reason, hint)
    reason = f"pledge {identifier} is there already{there} and differs in {listed(differing)}"
    return UnfitError(differing[0], reason, hint)


def under_way(record: PledgeRecord) -> UnfitError:
    """A pledge belongs to an import that is not published."""
    return UnfitError(
        "pledge_id",
        f"pledge {record.identifier.hex()} {UNDER_WAY}",
        "wait until it is published or discarded",
    )


def changes_more_than_a_key(identifier: PledgeId, differing: Sequence[str]) -> UnfitError:
    """A key that waits for the next firmware comes with other details than the pledge's."""
    return UnfitError(
        differing[0],
        f"pledge {identifier} differs in {listed(differing)}, and a key that waits for the next"
        " firmware changes nothing else",
        "leave it out; `jrc pledge set` changes what a pledge is called",
    )


def damaged(identifier: PledgeId) -> UnfitError:
    """A pledge's row does not authenticate."""
    reason = damage_sentence(identifier, (Damage.ROW,))
    return UnfitError("pledge_id", reason, damage_hint(identifier))


def key_fault(row: Withdrawn, owner: KeyOwner) -> Fault:
    """Why a row is refused whose key turned out to be somebody's already."""
    column = "psk" if row.kind is KeyKind.PSK else "pledge_sender_key"
    return Fault(column, owned(row.identifier, owner), DRAW_ANOTHER)


def owned(identifier: bytes, owner: KeyOwner) -> str:
    """Whose the key is, in a sentence; the key itself is never said."""
    whose = f"pledge {owner.pledge.hex()}"
    if owner.state is CredentialState.REMOVED:
        return f"this key was used by {whose}, which was removed: it can't come back"
    if owner.state is CredentialState.SUPERSEDED:
        return f"this key was used by {whose} and was superseded: it can't come back"
    if owner.state is CredentialState.WITHDRAWN:
        return f"this key was meant for {whose} and was withdrawn: it can't come back"
    if owner.state is CredentialState.TRANSFERRED:
        return f"this key was used by {whose}, which was transferred: it can't come back"
    if owner.pledge == identifier and owner.state is CredentialState.CANDIDATE:
        return f"{whose} has this key already, which waits for its next firmware"
    if owner.pledge == identifier:
        return f"{whose} has this key already, with other algorithms"
    there = f" ({owner.source})" if owner.source else ""
    return f"this key is the one of {whose}{there} as well"


def only_network(networks: Mapping[str, Network]) -> tuple[int, ...]:
    """The network that a pledge may join where there is one alone.

    Raises:
        UnfitError: there is none, or several.
    """
    if len(networks) == 1:
        return tuple(network.id for network in networks.values())
    if not networks:
        raise UnfitError(
            "network", "there is no network to join yet", "`jrc network add` makes one"
        )
    raise UnfitError(
        "network", "which network may it join?", f"there are {listed(sorted(networks))}"
    )
