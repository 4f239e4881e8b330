"""Rows of networks, keys, pledges and credentials: numbered, sealed, wrapped for their place."""

import pytest

from jrc.errors import StateError
from jrc.model import Event, KeySetState, Secret
from jrc.policy.keys import make_key_set
from jrc.service.enroll import remove_pledge
from jrc.service.network_reports import show_network
from jrc.service.records import CredentialState, Provenance
from jrc.store.contexts import find_locked
from jrc.store.policy import load_policy
from jrc.store.schema import pledge
from jrc.store.scope import chunked, draw_ids
from tests.desk import ACTOR, ON_FILE, Desk, pledge_id


@ON_FILE
def test_numbers_of_new_rows_follow_the_highest(desk: Desk) -> None:
    """Wrapped secrets are bound to their row's number, which has to be known before."""
    desk.network()
    desk.pledge(1)
    desk.pledge(2)

    def draw(_tx: object) -> list[int]:
        with desk.database.read(0) as tx:
            return list(draw_ids(tx.connection, pledge, 3))

    assert draw(None) == [3, 4, 5]


def test_chunks_hold_every_value_once() -> None:
    """The last one may be short."""
    assert [list(part) for part in chunked([1, 2, 3, 4, 5], 2)] == [[1, 2], [3, 4], [5]]


def test_keys_are_read_back_by_the_join_path(desk: Desk) -> None:
    """Usage, id and value of each."""
    desk.network(key_usages=(6, 9))
    with desk.database.read(0) as tx:
        policy = load_policy(tx.connection, tx.keyring, tx.mac, 1)
    keys = policy.keys[1].current.keys
    assert [(key.key_id, key.key_usage, len(key.key_value)) for key in keys] == [
        (1, 6, 16),
        (2, 9, 16),
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE key_domain SET key_usages = '1'",
        "UPDATE key_generation SET state = 'retired'",
        "UPDATE link_layer_key SET key_id = 9",
        "UPDATE network SET join_rate = 0",
        "UPDATE network_identifier SET position = 5 WHERE identifier = x'01'",
    ],
)
def test_an_edited_row_is_noticed(desk: Desk, statement: str) -> None:
    """The MAC covers rows and what hangs on them."""
    desk.network()
    desk.sql("UPDATE network SET removed_at_ms = NULL")
    if "network_identifier" in statement:
        desk.sql("INSERT INTO network_identifier VALUES (1, x'01', 1, 0)")
    desk.sql(statement)
    with pytest.raises(StateError, match="does not authenticate"):
        desk.read(lambda tx: (show_network(tx, "lab"), tx.keysets.domain("lab")))


@pytest.mark.parametrize("table", ["pledge_network", "pledge"])
def test_a_pledge_given_another_network_by_hand_is_not_answered(desk: Desk, table: str) -> None:
    """Its MAC covers its networks in their order."""
    desk.network("north", b"\x01")
    desk.network("south", b"\x02")
    identifier, _ = desk.pledge(1, networks=("north",))
    if table == "pledge_network":
        desk.sql("UPDATE pledge_network SET network_id = 2")
    else:
        desk.sql("UPDATE pledge SET supersedes_id = 1")
    database = desk.database
    with database.read(0) as tx, pytest.raises(StateError, match="pledge 1"):
        find_locked(tx.connection, database.keyring, database.mac, [identifier.value])


def test_wrapped_keys_moved_to_another_pledge_do_not_open(desk: Desk) -> None:
    """They are bound to table, row, column and version."""
    desk.network()
    identifier, _ = desk.pledge(1)
    desk.pledge(2)
    desk.sql(
        "UPDATE context SET wrapped_keys = (SELECT wrapped_keys FROM context WHERE id = 2)"
        " WHERE id = 1"
    )
    database = desk.database
    with database.read(0) as tx, pytest.raises(StateError, match="context 1: wrapped_keys"):
        find_locked(tx.connection, database.keyring, database.mac, [identifier.value])


def test_d03_the_values_of_all_generations_are_known(desk: Desk) -> None:
    """Also of retired ones (RFC 9031 §8.4.3.3)."""
    value = Secret(bytes(range(16)))
    desk.network()
    key_set = make_key_set(7, KeySetState.RETIRED, (2,), (9,), (value,))
    desk.write(lambda tx: tx.keysets.add(1, key_set, Provenance.GENERATED))
    known = desk.read(lambda tx: (tx.keysets.known_values([value]), tx.keysets.fingerprint(value)))
    assert known[0] == {known[1]: 16}


def test_pledges_are_counted_by_network_and_state(desk: Desk) -> None:
    """Tombstones and staged ones are not."""
    desk.network("north", b"\x01")
    desk.network("south", b"\x02")
    desk.pledge(1, networks=("north", "south"))
    desk.pledge(2, networks=("north",))
    desk.pledge(3, networks=("north",))
    desk.write(lambda tx: remove_pledge(tx, pledge_id(3), actor=ACTOR))
    assert desk.read(lambda tx: tx.pledges.counts().get(None, {})) == {"provisioned": 2}
    assert desk.read(lambda tx: show_network(tx, "south")).pledges == 1


def test_owners_of_keys_are_found_by_any_fingerprint(desk: Desk) -> None:
    """PSK, sender and recipient key; also after removal (row M3)."""
    desk.network()
    desk.pledge(1)
    desk.write(lambda tx: remove_pledge(tx, pledge_id(1), actor=ACTOR))
    prints = desk.read(lambda tx: tx.credentials.records([1]))[1].fingerprints
    owners = desk.read(lambda tx: tx.credentials.owners([prints]))
    assert set(owners) == set(prints)
    assert {owner.state for owner in owners.values()} == {CredentialState.REMOVED}


def test_what_only_reads_can_not_write(desk: Desk) -> None:
    """Neither chance nor audit log are there for it."""
    with pytest.raises(StateError, match="only reads"):
        desk.read(lambda tx: tx.record(Event("x", ACTOR)))
    with pytest.raises(StateError, match="only reads"):
        desk.read(lambda tx: tx.random(1))
