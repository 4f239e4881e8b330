"""Which keys a pledge may have, as far as rows tell."""

from jrc.model import KeySetState
from tests.desk import Desk
from tests.joining import next_generation
from tests.rollovers import floor_at


def test_a_damaged_short_identifier_counts_for_every_live_generation(desk: Desk) -> None:
    """Rather too many keys than too few: who is revoked might have them (RFC 9031 §8.4.4.1)."""
    with floor_at(desk, 2, 0):
        next_generation(desk, retire=False)

        def told() -> list[set[KeySetState]]:
            found = desk.read(lambda tx: tx.pledges.told_keys([1, 2]))
            return [{each.state for each in found[pledge]} for pledge in (1, 2)]

        assert told() == [{KeySetState.PREVIOUS}, {KeySetState.PREVIOUS}]
        desk.sql("UPDATE short_identifier SET lease_until_ms = 7 WHERE pledge_id = 1")
        assert told() == [{KeySetState.PREVIOUS, KeySetState.CURRENT}, {KeySetState.PREVIOUS}]
