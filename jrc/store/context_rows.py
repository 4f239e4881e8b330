"""What rows of contexts and their pledges say, for all who read them: keys opened, MACs checked.

Joins and updates read each what they need by a statement of their own (docs/adr/0027).
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import cbor2
from sqlalchemy import and_, literal_column

from jrc.cojp.constants import JRC_ID, PLEDGE_ID_KID
from jrc.cojp.oscore_context import SecurityContext
from jrc.cojp.replay import ReplayWindow
from jrc.errors import StateError
from jrc.model import Pledge, PledgeId, PledgeState, Profile
from jrc.service.join_ports import ContextState
from jrc.store.keyring import Keyring
from jrc.store.prepared import Rows
from jrc.store.rowmac import RowMac
from jrc.store.schema import context_state, import_batch, pledge, unsupported_parameter

STATE_COLUMNS = [column for column in context_state.columns if column.name != "mac"]
"""In the order that the MAC covers."""

IS_LEFT_OUT = and_(
    unsupported_parameter.c.pledge_id == pledge.c.id,
    unsupported_parameter.c.addinfo.is_(None),
)
"""The device has said that it can't act upon the parameter, whatever stands in it."""
IS_PUBLISHED = import_batch.c.state.is_(None) | (
    import_batch.c.state == literal_column("'published'")
)
"""The pledge is of no import that is not published yet; with ``import_batch`` joined."""
NOTHING: frozenset[int] = frozenset()

_PLEDGE_USED = 7
"""The first columns of ``pledge``: number to profile; most others are read for the MAC."""
_PLEDGE_STATES = {state.value: state for state in PledgeState}


def state_values(context_id: int, state: ContextState) -> tuple[object, ...]:
    """The values of a row of ``context_state``, in the order of ``STATE_COLUMNS``."""
    version, (highest, bits), reserved, needs_recovery, *answered = state
    return (context_id, highest, bits, reserved, int(needs_recovery), *answered, version)


def state_from_values(values: Sequence[Any]) -> ContextState:
    """The reverse of ``state_values``."""
    window = tuple.__new__(ReplayWindow, values[1:3])
    fields = (values[11], window, values[3], bool(values[4]), *values[5:11])
    return tuple.__new__(ContextState, fields)


def state_from_row(mac: RowMac, row: Sequence[Any]) -> ContextState:
    """What a row of ``STATE_COLUMNS`` and its MAC says.

    Raises:
        StateError: it does not authenticate.
    """
    if not mac.fits("context_state", row[:-1], row[-1]):
        raise StateError(f"context_state {row[0]} does not authenticate: the row was damaged")
    return state_from_values(row)


@lru_cache(maxsize=256)
def _shared(network_ids: tuple[int, ...]) -> tuple[int, ...]:
    """One copy in memory of what is equal."""
    return network_ids


def network_ids_in(rows: Rows, at: int) -> tuple[int, ...]:
    """The networks of one pledge, in the order of its rows; ``at`` is their column."""
    if len(rows) == 1 and rows[0][at] is not None:
        return _shared((rows[0][at],))
    numbers = dict.fromkeys(part[at] for part in rows)
    return _shared(tuple(number for number in numbers if number is not None))


def left_out_in(rows: Rows, at: int) -> frozenset[int]:
    """The labels that one device is not told; ``at`` is their column."""
    if len(rows) == 1 and rows[0][at] is None:
        return NOTHING
    labels = (part[at] for part in rows)
    return frozenset(label for label in labels if label is not None) or NOTHING


def pledge_from_row(mac: RowMac, row: Sequence[Any], network_ids: tuple[int, ...]) -> Pledge:
    """The record of a pledge's row and the networks it belongs to.

    Raises:
        StateError: it does not authenticate.
    """
    values = row[:-1]
    if not mac.fits("pledge", (*values, list(network_ids)), row[-1]):
        raise StateError(f"pledge {values[0]} does not authenticate: the row was damaged")
    number, identifier, state, _before, role, label, profile = values[:_PLEDGE_USED]
    own_profile = None if profile is None else Profile(profile)
    who = PledgeId(identifier)
    fields = (number, who, _PLEDGE_STATES[state], role, label, network_ids, own_profile)
    return tuple.__new__(Pledge, fields)


def open_security(
    keyring: Keyring, context_id: int, aead: int, id_context: bytes, wrapped: bytes
) -> SecurityContext:
    """The OSCORE context of a row (RFC 9031 §7.3).

    Raises:
        StateError: the wrapped keys don't authenticate, or are not for ``aead``.
    """
    opened = cbor2.loads(keyring.unwrap("context", context_id, "wrapped_keys", 1, wrapped))
    sender_key, recipient_key, common_iv = opened
    try:
        return SecurityContext(
            JRC_ID, PLEDGE_ID_KID, sender_key, recipient_key, common_iv, id_context, aead
        )
    except ValueError:
        raise StateError(f"context {context_id}: its keys don't fit its algorithm") from None
