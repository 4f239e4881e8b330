"""Pledges enrolled, looked at and acted upon without a registrar that runs."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import insert, select, update

from jrc.cojp.oscore_context import derive_for_jrc
from jrc.model import PledgeId, Secret
from jrc.service.applicants import Applicant, DerivedKeys
from jrc.service.enroll import Enrolled, add_pledge
from jrc.service.examine import OnConflict
from jrc.store import schema
from jrc.store.contexts import find_locked
from jrc.store.transaction import Transaction
from tests.desk import ACTOR, Desk, pledge_id

Done = TypeVar("Done")

KEY = bytes.fromhex("8c1d5f0ba7e34296d8317cb05efa6921")
OTHER_KEY = bytes.fromhex("51e0a94c7d3826fb90c2146de85fb37a")


def add(
    desk: Desk,
    number: int,
    key: bytes | DerivedKeys,
    on: OnConflict = OnConflict.FAIL,
    **more: object,
) -> Enrolled:
    keys = Secret(key) if isinstance(key, bytes) else key
    who = Applicant(identifier=pledge_id(number), keys=keys, **more)  # type: ignore[arg-type]
    return desk.write(lambda tx: add_pledge(tx, who, actor=ACTOR, on_conflict=on))


def derived(number: int, key: bytes) -> DerivedKeys:
    security = derive_for_jrc(key, pledge_id(number).value)
    return DerivedKeys(
        Secret(security.recipient_key), Secret(security.sender_key), Secret(security.common_iv)
    )


def usable(desk: Desk, identifier: PledgeId) -> list[bytes]:
    """Recipient keys of the contexts that the join path finds for a pledge."""
    database = desk.database
    with database.read(desk.now_ms) as tx:
        found = find_locked(tx.connection, database.keyring, database.mac, [identifier.value])
    return [known.security.recipient_key for known in found]


def act(desk: Desk, use_case: Callable[..., Done], number: int) -> Done:
    return desk.write(lambda tx: use_case(tx, pledge_id(number), actor=ACTOR, reason="test"))


def join(desk: Desk, number: int = 1) -> None:
    """What the join path leaves behind of a join with request number 7."""
    identifier = pledge_id(number).value

    def work(tx: Transaction) -> None:
        pledge = (
            tx.connection.execute(
                select(schema.pledge).where(schema.pledge.c.identifier == identifier)
            )
            .mappings()
            .one()
        )
        lease = {
            "domain_id": 1, "value": 0x42, "pledge_id": pledge["id"], "first_generation": 1,
            "last_generation": 1, "lease_until_ms": None, "released_at_ms": None, "version": 1,
        }  # fmt: skip
        tx.connection.execute(
            insert(schema.short_identifier), tx.mac.seal(schema.short_identifier, lease)
        )
        tx.connection.execute(
            insert(schema.node),
            {"pledge_id": pledge["id"], "network_id": 1, "role": 0, "generation_id": 1,
             "first_joined_at_ms": 5, "address": None, "settings_number": 0},
        )  # fmt: skip
        state = (
            tx.connection.execute(
                select(schema.context_state)
                .join(schema.context, schema.context.c.id == schema.context_state.c.context_id)
                .where(schema.context.c.pledge_id == pledge["id"])
            )
            .mappings()
            .one()
        )
        seen = {**state, "highest": 7, "seen": 1, "joined_at_ms": 1_796_000_000_123, "version": 2}
        tx.connection.execute(
            update(schema.context_state).values(tx.mac.seal(schema.context_state, seen))
        )

    desk.database.write(work, desk.now_ms)
