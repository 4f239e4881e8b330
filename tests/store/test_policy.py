"""Networks and keys as joins see them."""

import sqlite3
from contextlib import closing
from ipaddress import IPv6Address, IPv6Network

import pytest
from structlog.testing import capture_logs

from jrc.errors import StateError
from jrc.model import KeySetState, Network, Profile, ShortIdRange
from jrc.policy.admission import MAX_TOLD_BLOCKED
from jrc.service.join_ports import NetworkPolicy
from jrc.service.revoking import revoke_pledge
from jrc.service.rollover import start_rollover
from jrc.store.policy import load_policy
from tests.desk import ACTOR, NOW_MS, Desk, pledge_id
from tests.joining import JOIN, hall_at, next_generation


def policy(desk: Desk) -> NetworkPolicy:
    with desk.database.read(0) as tx:
        return load_policy(tx.connection, tx.keyring, tx.mac, 5)


def test_a_network_is_read_as_it_was_written(desk: Desk) -> None:
    """Every setting of it."""
    desk.network(
        "north",
        b"\x01\x02",
        prefix="2001:db8:7::/64",
        key_usages=(0,),
        short_ids=ShortIdRange(0x100, 0x1FF),
        lease_hours=12,
        join_rate_bytes_per_s=0,
        jrc_address=IPv6Address("2001:db8::1"),
        profile=Profile.OPENWSN,
        key_domain="shared",
    )
    assert {
        1: Network(
            id=1,
            name="north",
            domain_id=1,
            domain="shared",
            identifiers=(b"\x01\x02", b"\x02\x01"),
            prefix=IPv6Network("2001:db8:7::/64"),
            key_usages=(0,),
            short_ids=ShortIdRange(0x100, 0x1FF),
            lease_hours=12,
            join_rate_bytes_per_s=0,
            jrc_address=IPv6Address("2001:db8::1"),
            profile=Profile.OPENWSN,
        )
    } == policy(desk).networks
    assert 5 == policy(desk).revision


def test_a_removed_network_is_not_there(desk: Desk) -> None:
    """Its keys stay with those who share them."""
    desk.network("north", b"\x01", key_domain="shared")
    desk.network("south", b"\x02", prefix="2001:db8:1::/64", key_domain="shared")
    desk.write(lambda tx: tx.networks.remove(1))
    assert {2} == set(policy(desk).networks)
    assert {1} == set(policy(desk).keys)


def test_d05_the_current_generation_is_handed_out(desk: Desk) -> None:
    """RFC 9031 §8.4.3.1: those before live until they are retired, and so does what they burned."""
    desk.network()
    keys = policy(desk).keys[1]
    assert (1, 1, 1, KeySetState.CURRENT) == (
        keys.generation_id, keys.current.generation, keys.oldest_live_generation,
        keys.current.state,
    )  # fmt: skip
    next_generation(desk, retire=False)
    second = policy(desk).keys[1]
    assert (2, 2, 1) == (
        second.generation_id, second.current.generation, second.oldest_live_generation,
    )  # fmt: skip
    assert keys.current.keys[0].key_value != second.current.keys[0].key_value
    assert keys.current.keys[0].key_id != second.current.keys[0].key_id
    next_generation(desk, retire=True)
    third = policy(desk).keys[1]
    assert (3, 3) == (third.current.generation, third.oldest_live_generation)


def test_a_domain_whose_keys_are_all_retired_has_none(desk: Desk) -> None:
    """RFC 9031 §8.4.3."""
    desk.network()
    desk.write(lambda tx: tx.keysets.retire_all(1))
    assert {} == policy(desk).keys


def test_domains_have_keys_of_their_own(desk: Desk) -> None:
    """Row F2: and generations of their own."""
    desk.network("north", b"\x01")
    next_generation(desk, retire=False)
    desk.network("south", b"\x02", prefix="2001:db8:1::/64")
    found = policy(desk).keys
    assert [(2, 1), (1, 1)] == [
        (found[domain].current.generation, found[domain].oldest_live_generation)
        for domain in (1, 2)
    ]


def test_d03_a_wrapped_key_put_in_anothers_place_is_not_used(desk: Desk) -> None:
    """RFC 9031 §8.4.3.3: a value under another usage may have another MIC length."""
    desk.network(key_usages=(6, 14))
    desk.sql(
        "UPDATE link_layer_key SET wrapped_value ="
        " (SELECT wrapped_value FROM link_layer_key WHERE id = 2) WHERE id = 1"
    )
    with pytest.raises(StateError, match="link_layer_key 1"):
        policy(desk)


def test_an_added_or_deleted_key_is_noticed(desk: Desk) -> None:
    """The generation's MAC covers its keys."""
    desk.network(key_usages=(6, 14))
    desk.sql("DELETE FROM link_layer_key WHERE id = 2")
    with pytest.raises(StateError, match="key_generation 1"):
        policy(desk)


DAMAGES = ["phase = 'distributing'", "paused_from = 'switching'", "domain_id = 9", "mac = x'00'",
           "generation_id = 9", "domain_id = 9, former_generation_id = 9",
           "generation_id = 9, former_generation_id = 9"]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_e03_where_a_rollover_is_damaged_nobody_joins_and_elsewhere_everybody_does(
    desk: Desk, damage: str
) -> None:
    """It is not known what a node has to be told there (RFC 9031 §8.4.3.1)."""
    desk.network("lab", b"\xca\xfe")
    desk.network("far", b"\xca\xfd", prefix="2001:db8:1::/64")
    with hall_at(desk) as hall:
        here, there = hall.enroll(1, networks=("lab",)), hall.enroll(2, networks=("far",))
        for name in ("lab", "far"):
            desk.write(lambda tx, name=name: start_rollover(tx, name, actor=ACTOR))  # type: ignore[misc]
        assert {1, 2} == set(policy(desk).keys)
        with closing(sqlite3.connect(desk.path, isolation_level=None)) as raw:
            raw.execute(f"UPDATE rollover SET {damage} WHERE id = 1")
        desk.write(lambda tx: tx.policy_changed())
        with capture_logs() as log:
            (keys,) = policy(desk).keys.values()
            hall.take(here.request(JOIN))
            assert [] == hall.outbox.sent
            hall.join(there, bytes.fromhex("a10542cafd"))
    assert keys.running is not None
    assert 2 == keys.running.rollover_id
    assert ["rollover 1"] == [line["row"] for line in log]


def blocked(desk: Desk, network_id: int) -> tuple[bytes, ...]:
    """The blocklist that joins find."""
    return desk.database.join(lambda joins: joins.policy.blocked_in(network_id), NOW_MS)


def revoke(desk: Desk, number: int) -> None:
    desk.now_ms += 1000
    identifier = pledge_id(number)
    desk.write(lambda tx: revoke_pledge(tx, identifier, actor=ACTOR, agreed=True))


def test_g01_the_revoked_pledges_of_a_network_are_its_blocklist(desk: Desk) -> None:
    """The one revoked last comes first, and each change is seen (RFC 9031 §8.4.2)."""
    desk.network()
    desk.network("two", b"\x02", prefix="2001:db8:1::/64")
    for number, networks in ((1, ("lab",)), (2, ("lab", "two")), (3, ("lab",)), (4, ("two",))):
        desk.pledge(number, networks=networks)
    assert () == blocked(desk, 1)
    revoke(desk, 2)
    assert (pledge_id(2).value,) == blocked(desk, 1) == blocked(desk, 2)
    revoke(desk, 1)
    assert (pledge_id(1).value, pledge_id(2).value) == blocked(desk, 1)
    assert (pledge_id(2).value,) == blocked(desk, 2)


def test_g01_who_was_revoked_past_the_program_is_not_on_the_blocklist(desk: Desk) -> None:
    """A row that does not authenticate keeps nobody out of a network."""
    desk.network()
    desk.pledge(1, networks=("lab",))
    desk.pledge(2, networks=("lab",))
    desk.sql("UPDATE pledge SET state = 'revoked' WHERE id = 1")
    revoke(desk, 2)
    assert (pledge_id(2).value,) == blocked(desk, 1)


def test_g01_a_blocklist_that_is_too_long_is_cut_and_that_is_said(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest are left out; the log tells it."""
    monkeypatch.setattr("jrc.policy.admission.MAX_TOLD_BLOCKED", 2)
    assert MAX_TOLD_BLOCKED > 2
    desk.network()
    for number in (1, 2, 3):
        desk.pledge(number, networks=("lab",))
        revoke(desk, number)
    with capture_logs() as log:
        assert (pledge_id(3).value, pledge_id(2).value) == blocked(desk, 1)
    assert [("blocklist_cut", 2)] == [(line["event"], line["told"]) for line in log]
