"""Our sender sequence numbers, reserved in blocks on disk (RFC 8613 Appendix B.1.1)."""

from sqlalchemy import select, update

from jrc.cojp.replay import NumberBlock, reserve
from jrc.errors import StateError
from jrc.store.contexts import STATE_COLUMNS, state_from_values, state_values
from jrc.store.database import Transaction
from jrc.store.schema import context_state

BLOCK = 64
"""Numbers reserved at a time; a restart loses at most these."""


def reserve_numbers(
    tx: Transaction, context_id: int, now_ms: int, count: int = BLOCK
) -> NumberBlock:
    """The next ``count`` numbers of a context; they are ours once ``tx`` has committed.

    The floor is the clock, and the clock's own floor is the highest time that any transaction was
    committed at, so that neither an old copy of the database nor a clock set back repeats one.

    Raises:
        OperatorError: the clock is behind where it was.
        StateError: the context is unknown or damaged, or its numbers are used up.
    """
    query = select(*STATE_COLUMNS, context_state.c.mac).where(
        context_state.c.context_id == context_id
    )
    row = tx.connection.execute(query.with_for_update()).one_or_none()
    if row is None or not tx.mac.fits("context_state", row[:-1], row[-1]):
        raise StateError(f"context_state {context_id} is missing or was damaged")
    state = state_from_values(row[:-1])
    block = reserve(
        state.numbers_reserved,
        now_ms // 1000,
        count,
        high_water_s=tx.ledger.instance.clock_high_water_ms // 1000,
    )
    after = state._replace(version=state.version + 1, numbers_reserved=block.reserved)
    values = state_values(context_id, after)
    tx.connection.execute(
        update(context_state)
        .where(context_state.c.context_id == context_id)
        .values(
            numbers_reserved=block.reserved,
            version=after.version,
            mac=tx.mac.compute("context_state", values),
        )
    )
    return block
