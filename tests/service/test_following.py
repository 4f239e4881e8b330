"""Networks that take their prefix and the registrar's address from an interface."""

from dataclasses import astuple
from ipaddress import IPv6Address, IPv6Network

import pytest

from jrc.errors import ExitCode, OperatorError, Reason
from jrc.policy.interface import Interface, InterfaceAddress, Seen
from jrc.service.events import list_events
from jrc.service.following import Followed, follow_interfaces, followed_interfaces, outlook
from jrc.service.network_reports import NetworkReport, show_network
from jrc.service.networks import (
    AddNetwork,
    NetworkChanges,
    add_network,
    plan_network_change,
    set_network,
)
from tests.desk import ACTOR, Desk, network_command
from tests.joining import Hall, hall_at

JOIN = bytes.fromhex("a10542cafe")
A, B, C = (IPv6Network(f"fd00:{letter}::/64") for letter in "abc")


def having(*prefixes: IPv6Network, name: str = "lowpan0") -> Seen:
    """An interface with the first address of each prefix."""
    entries = tuple(InterfaceAddress(prefix[1], 64) for prefix in prefixes)
    return {name: Interface(name, 3, is_up=True, addresses=entries)}


def add(desk: Desk, seen: Seen, prefix: IPv6Network | None = None) -> NetworkReport:
    command = AddNetwork(
        name="lab",
        identifiers=(b"\xca\xfe",),
        prefix=prefix,
        prefix_from="lowpan0",
        jrc_address_from="lowpan0",
    )
    return desk.write(lambda tx: add_network(tx, command, actor=ACTOR, seen=seen))


def follow(desk: Desk, seen: Seen) -> list[Followed]:
    return desk.write(lambda tx: follow_interfaces(tx, seen))


def addresses(desk: Desk) -> tuple[str | None, ...]:
    found = desk.read(lambda tx: show_network(tx, "lab"))
    return (found.prefix, found.prefix_from, found.jrc_address, found.jrc_address_from)


def change(desk: Desk, seen: Seen, **given: object) -> None:
    changes = NetworkChanges(**given)  # type: ignore[arg-type]
    desk.write(lambda tx: set_network(tx, "lab", changes, actor=ACTOR, agreed=True, seen=seen))


def test_a_network_begins_with_what_its_interface_has(desk: Desk) -> None:
    """It is stored, so it is there after a restart."""
    add(desk, having(A, B))
    assert ("fd00:a::/64", "lowpan0", "fd00:a::1", "lowpan0") == addresses(desk)
    assert frozenset({"lowpan0"}) == desk.read(followed_interfaces)


@pytest.mark.parametrize(
    ("seen", "why"),
    [({"lowpan0": None}, "there is no interface of this name"), (having(), "it has no global /64")],
)
def test_without_a_prefix_there_is_no_network(desk: Desk, seen: Seen, why: str) -> None:
    """One given beside the interface serves until that has one."""
    with pytest.raises(OperatorError, match=why) as caught:
        add(desk, seen)
    assert (ExitCode.REFUSED, True) == (caught.value.exit_code, "--prefix" in caught.value.hint)
    add(desk, seen, A)
    assert ("fd00:a::/64", "lowpan0", None, "lowpan0") == addresses(desk)
    follow(desk, having(B))
    assert ("fd00:b::/64", "lowpan0", "fd00:b::1", "lowpan0") == addresses(desk)


def test_a_network_follows_its_interface_in_one_change(desk: Desk) -> None:
    """The audit log has it as the daemon's own; a second look changes nothing."""
    add(desk, having(A))
    before = desk.database.instance.policy_revision
    assert desk.read(lambda tx: outlook(tx, having(B))).due
    (done,) = follow(desk, having(B))
    assert (A, B, B[1]) == (done.before.prefix, done.after.prefix, done.after.jrc_address)
    assert desk.database.instance.policy_revision > before
    *_, event = desk.read(list_events)
    assert ("network.changed", "jrc") == (event.kind, event.actor)
    assert {
        "prefix": [str(A), str(B)],
        "jrc_address": [str(A[1]), str(B[1])],
    } == event.detail
    assert not desk.read(lambda tx: outlook(tx, having(B))).due
    assert [] == follow(desk, having(B))


def test_the_address_is_found_again_after_the_interface_was_away(desk: Desk) -> None:
    """Meanwhile the prefix stays, and there is no address to hand out."""
    add(desk, having(A))
    follow(desk, {"lowpan0": None})
    assert (str(A), None) == addresses(desk)[::2]
    follow(desk, having(A))
    assert (str(A), str(A[1])) == addresses(desk)[::2]


def test_other_networks_are_left_alone(desk: Desk) -> None:
    """Those that name no interface, or another one."""
    add(desk, having(A))
    desk.network("hall", b"\x01")
    assert ["lab"] == [done.after.name for done in follow(desk, having(B))]
    assert [] == follow(desk, having(A, name="eth0"))


def test_f02_an_interface_gives_no_network_the_prefix_of_another(desk: Desk) -> None:
    """It keeps its own, and follows the registrar's address alone (RFC 9031 §8.2.1)."""
    add(desk, having(A))
    desk.network("hall", b"\x01", prefix=str(B))
    (done,) = follow(desk, having(B))
    assert (A, B[1]) == (done.after.prefix, done.after.jrc_address)
    assert [] == follow(desk, having(B))
    (clash,) = desk.read(lambda tx: outlook(tx, having(B))).clashes
    assert ("lab", "lowpan0", B, "hall") == astuple(clash)
    assert str(A) == addresses(desk)[0]


def test_f02_networks_that_change_places_keep_what_they_have(desk: Desk) -> None:
    """Of two that want one prefix the first has it; where it moves on in the same moment, both."""
    add(desk, having(A))
    hall = network_command("hall", b"\x01", str(B), prefix_from="eth0")
    desk.write(lambda tx: add_network(tx, hall, actor=ACTOR))
    found = follow(desk, {**having(B), **having(C, name="eth0")})
    assert {"lab": B, "hall": C} == {done.after.name: done.after.prefix for done in found}
    found = follow(desk, {**having(A), **having(A, name="eth0")})
    assert {"lab": A} == {done.after.name: done.after.prefix for done in found}
    (clash,) = desk.read(lambda tx: outlook(tx, having(A, name="eth0"))).clashes
    assert ("hall", "eth0", A, "lab") == astuple(clash)


def test_an_operator_can_begin_and_end_the_following(desk: Desk) -> None:
    """A prefix or an address that is given ends it; what a network has stays."""
    desk.network(prefix=str(A))
    change(desk, having(B), prefix_from="lowpan0")
    assert (str(B), "lowpan0") == addresses(desk)[:2]
    change(desk, having(B), jrc_address_from="lowpan0")
    assert (str(B[1]), "lowpan0") == addresses(desk)[2:]
    change(desk, {}, prefix_from=None, jrc_address_from=None)
    assert (str(B), None, str(B[1]), None) == addresses(desk)
    change(desk, having(B), prefix_from="lowpan0", jrc_address_from="lowpan0")
    change(desk, {}, prefix=A, jrc_address=IPv6Address("2001:db8::9"))
    assert (str(A), None, "2001:db8::9", None) == addresses(desk)


def test_a_name_that_no_interface_can_have_is_refused(desk: Desk) -> None:
    """Linux: 15 bytes without slash, colon and blanks."""
    desk.network()
    for name in ("", "a/b", "a b", "x" * 16, "eth0:1"):
        with pytest.raises(OperatorError, match="prefix-from"):
            change(desk, {}, prefix_from=name)


def test_the_plan_says_who_joins_again(desk: Desk) -> None:
    """As for a prefix that the operator writes; the daemon counts them for its log."""
    add(desk, having(A))
    with hall_at(desk) as hall:
        hall.join(hall.enroll())
        changes = NetworkChanges(prefix_from="lowpan0")
        plan = desk.read(lambda tx: plan_network_change(tx, "lab", changes, having(B)))
        assert (1, True) == (plan.count, plan.needs_consent)
        (done,) = follow(desk, having(B))
        assert 1 == done.joined
    assert 0 == desk.read(lambda tx: show_network(tx, "lab")).joined


def test_c09_joins_wait_while_there_is_no_address(desk: Desk) -> None:
    """RFC 9031 §8.4.2: without one the Configuration would say that the 6LBR is the registrar."""
    add(desk, having(A))
    with hall_at(desk) as hall:
        pledge = hall.enroll()
        assert A[1].packed == hall.join(pledge).jrc_address
        follow(desk, {"lowpan0": None})
        hall.contexts.forget_all()
        assert hall.ask(pledge.request(JOIN)) is None
        assert 1 == hall.metrics.drops[Reason.NO_JRC_ADDRESS]
        follow(desk, having(B))
        hall.contexts.forget_all()
        assert B[1].packed == hall.join(pledge).jrc_address


def test_c11_what_was_stored_with_another_address_is_not_sent_again(desk: Desk) -> None:
    """Neither after the address alone has changed, nor after the prefix has."""
    add(desk, having(A, B))
    with hall_at(desk) as hall:
        some: list[dict[str, object]] = [
            {"jrc_address": IPv6Address("2001:db8::9")},
            {"prefix": B},
        ]
        for number, given in enumerate(some, start=1):
            hall.join(hall.enroll(number))
            assert is_good(hall, number)
            change(desk, {}, lease_hours=number)
            assert is_good(hall, number)
            change(desk, {}, **given)
            assert not is_good(hall, number)
            desk.now_ms += 1
            hall.contexts.forget_all()


def is_good(hall: Hall, context_id: int) -> bool:
    """Whether a copy of the last request gets its answer once more."""
    stored = hall.lookup.stored_answer(context_id)
    assert stored is not None
    return stored.good
