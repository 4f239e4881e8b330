"""Networks: made with keys, checked, changed by plan, removed as tombstones."""

from ipaddress import IPv6Address, IPv6Network
from unittest.mock import patch

import pytest

from jrc.errors import ExitCode, OperatorError, StateError
from jrc.model import ShortIdRange
from jrc.service.events import list_events
from jrc.service.network_reports import list_networks, show_network
from jrc.service.networks import (
    NetworkChanges,
    plan_network_change,
    plan_network_removal,
    remove_network,
    set_network,
)
from tests.desk import ACTOR, Desk, network_command


def test_a_network_comes_with_a_generation_of_keys(desk: Desk) -> None:
    """The first keys are current and have ids of 1 and up (RFC 9031 §8.4.3)."""
    report = desk.network(key_usages=(6, 12))
    assert (report.generation, report.key_ids) == (1, (1, 2))
    kinds = [event.kind for event in desk.read(list_events)]
    assert kinds == ["key_generation.created", "network.added"]


def test_d05_keys_are_drawn_from_the_given_source_and_stored_wrapped(desk: Desk) -> None:
    """Two networks have different keys, and none is found in the file (RFC 9031 §8.4.3.1)."""
    drawn: list[bytes] = []
    random = desk.database.random

    def remember(count: int) -> bytes:
        drawn.append(random(count))
        return drawn[-1]

    desk.database.random = remember
    desk.network("a", b"a")
    desk.network("b", b"b")
    keys = [value for value in drawn if len(value) == 16]
    assert len(set(keys)) == 2
    stored = desk.path.read_bytes() + desk.path.with_name("jrc.db-wal").read_bytes()
    assert not any(key in stored for key in keys)


def test_d05_a_key_id_of_retired_keys_is_not_given_again_at_once(desk: Desk) -> None:
    """A node may still know the last keys (RFC 9031 §8.4.3.1)."""
    desk.network()
    desk.write(lambda tx: remove_network(tx, "lab", actor=ACTOR, agreed=True))
    again = desk.network()
    assert (again.generation, again.key_ids) == (2, (2,))


def test_d03_a_value_that_was_used_with_another_mic_length_is_refused(desk: Desk) -> None:
    """A random source that repeats itself is noticed (RFC 9031 §8.4.3.3)."""
    desk.database.random = lambda count: bytes(range(count))
    desk.network("a", b"a", key_usages=(0,))
    with pytest.raises(ValueError, match="never used with 8"):
        desk.network("b", b"b", key_usages=(1,))
    assert [report.name for report in desk.read(list_networks)] == ["a"]


def test_d04_usages_that_leave_data_unprotected_are_refused(desk: Desk) -> None:
    """RFC 9031 §8.4.3.3, Table 6."""
    with pytest.raises(OperatorError, match="data frames unprotected") as refusal:
        desk.network(key_usages=(6,))
    assert refusal.value.exit_code == ExitCode.REFUSED


def test_f02_networks_of_two_key_domains_have_two_prefixes(desk: Desk) -> None:
    """Short identifiers, of which addresses are formed, are unique in one alone (§8.2.1)."""
    desk.network("north", b"\x01", prefix="2001:db8:1::/64")
    with pytest.raises(OperatorError, match="network north has 2001:db8:1::/64") as refusal:
        desk.network("south", b"\x02", prefix="2001:db8:1::/64")
    assert refusal.value.exit_code == ExitCode.REFUSED
    desk.network("south", b"\x02", prefix="2001:db8:2::/64")
    changes = NetworkChanges(prefix=IPv6Network("2001:db8:1::/64"))
    with pytest.raises(OperatorError, match="network north has 2001:db8:1::/64"):
        desk.write(lambda tx: set_network(tx, "south", changes, actor=ACTOR))
    desk.network("east", b"\x03", prefix="2001:db8:1::/64", key_domain="north")
    desk.write(lambda tx: remove_network(tx, "north", actor=ACTOR, agreed=True))
    desk.write(lambda tx: remove_network(tx, "east", actor=ACTOR, agreed=True))
    desk.write(lambda tx: set_network(tx, "south", changes, actor=ACTOR))


def test_networks_that_have_one_prefix_already_can_be_changed(desk: Desk) -> None:
    """An earlier version took them; only a prefix that changes is compared."""
    desk.network("north", b"\x01", prefix="2001:db8:1::/64")
    with patch("jrc.service.networks.check_prefix_sharing"):
        desk.network("south", b"\x02", prefix="2001:db8:1::/64")
    changes = NetworkChanges(lease_hours=5)
    desk.write(lambda tx: set_network(tx, "south", changes, actor=ACTOR))
    assert desk.read(lambda tx: show_network(tx, "south")).lease_hours == 5


def test_m01_networks_that_share_an_identifier_share_a_key_domain(desk: Desk) -> None:
    """The refusal names both networks (RFC 9031 §8.4.4.1)."""
    desk.network("north", b"\x01")
    with pytest.raises(OperatorError, match="south and north share the identifier 01"):
        desk.network("south", b"\x01")
    shared = desk.network("south", b"\x01", key_domain="north")
    assert (shared.key_domain, shared.generation) == ("north", 1)
    desk.network("east", b"\x02")
    changes = NetworkChanges(identifiers=(b"\x01",))
    with pytest.raises(OperatorError, match="share the identifier"):
        desk.write(lambda tx: set_network(tx, "east", changes, actor=ACTOR))


def test_a_key_domain_keeps_its_usages(desk: Desk) -> None:
    """A second network takes the domain's usages, and may not ask for others."""
    desk.network("a", b"a", key_usages=(2,))
    with pytest.raises(OperatorError, match="has the key usage 2"):
        desk.network("b", b"b", key_domain="a", key_usages=(0,))
    assert desk.network("b", b"b", key_domain="a").key_usages == (2,)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "a;b"}, "can't be a network's name"),
        ({"identifier": b""}, "1 to 64 bytes"),
        ({"identifier": bytes(65)}, "1 to 64 bytes"),
        ({"prefix": "2001:db8::/56"}, "no /64"),
        ({"prefix": "fe80::/64"}, "no /64"),
        ({"prefix": "ff02::/64"}, "no /64"),
        ({"lease_hours": 0}, "lease-hours"),
        ({"join_rate_bytes_per_s": -1}, "join-rate"),
        ({"jrc_address": IPv6Address("ff02::1")}, "jrc-address"),
        ({"key_domain": "a b"}, "key domain's name"),
    ],
)
def test_a_setting_out_of_bounds_is_refused_and_nothing_is_stored(
    desk: Desk, settings: dict[str, object], message: str
) -> None:
    """One sentence names the setting."""
    with pytest.raises(OperatorError, match=message):
        desk.network(**settings)  # type: ignore[arg-type]
    assert desk.read(list_networks) == []
    assert desk.sql("SELECT count(*) FROM key_domain") == [(0,)]


def test_a_name_is_given_once(desk: Desk) -> None:
    """A second network of the same name is refused."""
    desk.network()
    with pytest.raises(OperatorError, match="exists already"):
        desk.network(identifier=b"\x02")


def test_an_unknown_network_is_refused_with_the_nearest_name(desk: Desk) -> None:
    """A misspelt name is found."""
    desk.network("workshop")
    with pytest.raises(OperatorError, match="did you mean workshop"):
        desk.read(lambda tx: show_network(tx, "wrokshop"))


def joined(desk: Desk, number: int = 1) -> str:
    """A pledge that joined the network with row number 1, as the join path leaves it."""
    identifier, _ = desk.pledge(number, networks=("lab",))
    (row,) = desk.sql("SELECT id FROM pledge WHERE identifier = :i", i=identifier.value)
    desk.sql(
        "INSERT INTO node (pledge_id, network_id, role, generation_id, first_joined_at_ms,"
        " settings_number) VALUES (:p, 1, 0, 1, 1, 0)",
        p=row[0],
    )
    return str(identifier)


@pytest.mark.parametrize(
    "changes",
    [
        NetworkChanges(prefix=IPv6Network("2001:db8:1::/64")),
        NetworkChanges(identifiers=(b"\xbe\xef",)),
    ],
)
def test_a_new_prefix_or_identifier_says_first_who_must_join_again(
    desk: Desk, changes: NetworkChanges
) -> None:
    """Nothing happens without consent; then the nodes count as joined no more."""
    desk.network()
    identifier = joined(desk)
    plan = desk.read(lambda tx: plan_network_change(tx, "lab", changes))
    assert (plan.pledges, plan.needs_consent) == ((identifier,), True)
    with pytest.raises(OperatorError, match="join again"):
        desk.write(lambda tx: set_network(tx, "lab", changes, actor=ACTOR))
    assert desk.read(lambda tx: show_network(tx, "lab")).joined == 1
    report = desk.write(lambda tx: set_network(tx, "lab", changes, actor=ACTOR, agreed=True))
    assert report.joined == 0
    assert desk.sql("SELECT state FROM pledge") == [("provisioned",)]


def test_other_settings_change_without_consent_and_are_recorded(desk: Desk) -> None:
    """The audit log has the old value and the new one."""
    desk.network(lease_hours=8)
    joined(desk)
    changes = NetworkChanges(lease_hours=None, short_ids=ShortIdRange(1, 100))
    report = desk.write(lambda tx: set_network(tx, "lab", changes, actor=ACTOR, reason="why"))
    assert (report.lease_hours, report.short_ids) == (None, "0001-0064")
    (event,) = desk.read(lambda tx: list_events(tx, kind="network.changed"))
    assert event.detail == {"lease_hours": [8, None], "short_ids": ["0001-7fff", "0001-0064"]}
    assert (event.actor, event.reason) == (ACTOR, "why")


def test_a_further_identifier_disturbs_nobody(desk: Desk) -> None:
    """The one that nodes know stays good."""
    desk.network()
    joined(desk)
    changes = NetworkChanges(identifiers=(b"\xfe\xca", b"\xca\xfe"))
    report = desk.write(lambda tx: set_network(tx, "lab", changes, actor=ACTOR))
    assert (report.identifiers, report.joined) == (("feca", "cafe"), 1)


def test_d03_the_key_usage_of_keys_in_use_is_not_changed(desk: Desk) -> None:
    """A changed usage means new keys (RFC 9031 §8.4.3.3)."""
    desk.network()
    changes = NetworkChanges(key_usages=(1,))
    with pytest.raises(OperatorError, match="can't be changed"):
        desk.write(lambda tx: set_network(tx, "lab", changes, actor=ACTOR, agreed=True))


def test_removing_a_network_shows_who_can_join_nowhere_then(desk: Desk) -> None:
    """Only pledges without another network are named; keys of an unused domain are retired."""
    desk.network()
    desk.network("other", b"\x02")
    joined(desk)
    desk.pledge(2, networks=("lab", "other"))
    plan = desk.read(lambda tx: plan_network_removal(tx, "lab"))
    assert plan.pledges == ("00124b0000000001",)
    assert [
        "Network lab is removed; its name is free again.",
        "1 pledge can join nowhere then.",
        "1 node that joined it can't be given new keys any more.",
        "The keys of key domain lab are retired.",
    ] == list(plan.sentences)
    with pytest.raises(OperatorError, match="1 pledge can join nowhere"):
        desk.write(lambda tx: remove_network(tx, "lab", actor=ACTOR))
    desk.write(lambda tx: remove_network(tx, "lab", actor=ACTOR, agreed=True))
    assert [report.name for report in desk.read(list_networks)] == ["other"]
    assert desk.sql("SELECT state FROM key_generation ORDER BY id") == [("retired",), ("current",)]
    assert desk.sql("SELECT state FROM pledge ORDER BY id") == [("provisioned",), ("provisioned",)]
    assert desk.sql("SELECT count(*) FROM network") == [(2,)]


def test_keys_stay_while_another_network_of_the_domain_needs_them(desk: Desk) -> None:
    """RFC 9031 §8.4.4.1: networks may share link-layer keys."""
    desk.network("a", b"a")
    desk.network("b", b"b", key_domain="a")
    plan = desk.write(lambda tx: remove_network(tx, "a", actor=ACTOR, agreed=True))
    assert ["Network a is removed; its name is free again."] == list(plan.sentences)
    assert desk.read(lambda tx: show_network(tx, "b")).generation == 1


def test_a_network_whose_row_was_edited_is_not_used(desk: Desk) -> None:
    """The MAC covers every column and the identifiers."""
    desk.network()
    desk.sql("UPDATE network_identifier SET identifier = :i", i=b"\x02")
    with pytest.raises(StateError, match="network 1 does not authenticate"):
        desk.read(list_networks)


def test_the_policy_revision_moves_with_every_change(desk: Desk) -> None:
    """Other readers see that they must look again."""
    before = desk.database.instance.policy_revision
    desk.network()
    changes = NetworkChanges(lease_hours=1)
    desk.write(lambda tx: set_network(tx, "lab", changes, actor=ACTOR))
    assert desk.database.instance.policy_revision == before + 2


def test_setting_what_is_set_already_changes_nothing(desk: Desk) -> None:
    """No event, no new version."""
    desk.network()
    changes = NetworkChanges(identifiers=network_command().identifiers)
    desk.write(lambda tx: set_network(tx, "lab", changes, actor=ACTOR))
    assert desk.read(lambda tx: list_events(tx, kind="network.changed")) == []
