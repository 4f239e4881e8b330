"""What a change of a network means for joined nodes: told, or staged, or joining again (§8.4.2)."""

from collections.abc import Iterator
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path
from typing import Any

import pytest

from jrc.errors import OperatorError
from jrc.model import Admission, Profile
from jrc.service.networks import NetworkChanges, plan_network_change, set_network
from jrc.service.wording import Plan
from tests.desk import ACTOR, pledge_id
from tests.joining import hall_at
from tests.pushing import Bureau

OLD, NEW = b"\xca\xfe", b"\xbe\xef"
AS_NEW = bytes.fromhex("a10542beef")
JRC = IPv6Address("2001:db8:5::1")


@pytest.fixture
def bureau(tmp_path: Path) -> Iterator[Bureau]:
    """A bureau with a network of three nodes."""
    bureau = Bureau(tmp_path)
    bureau.desk.network()
    bureau.join(1, 2, 3)
    bureau.desk.now_ms += 1000
    yield bureau
    bureau.desk.close()


def plan(bureau: Bureau, **changes: Any) -> Plan:
    wanted = NetworkChanges(**changes)
    return bureau.desk.read(lambda tx: plan_network_change(tx, "lab", wanted))


def said(bureau: Bureau, **changes: Any) -> str:
    return " ".join(plan(bureau, **changes).sentences)


def joined(bureau: Bureau) -> set[int]:
    rows = bureau.desk.sql("SELECT identifier FROM pledge JOIN node ON pledge_id = id")
    return {int.from_bytes(bytes(identifier)[4:]) for (identifier,) in rows}  # type: ignore[call-overload]


def test_what_is_told_by_update_is_said(bureau: Bureau) -> None:
    """And needs no consent, for nobody has to do anything."""
    found = plan(bureau, join_rate_bytes_per_s=5, jrc_address=JRC)
    assert not found.needs_consent
    text = " ".join(found.sentences)
    assert "3 nodes of network lab are told the join rate and the JRC's address by update" in text
    assert "`jrc node list lab --behind`" in text
    assert "Let the registrar answer at the address before (the 6LBR's)" in text


def test_g02_that_a_limit_cannot_be_lifted_by_update_is_said(bureau: Bureau) -> None:
    """With the number that stands for it (RFC 9031 §8.4.2)."""
    bureau.set(join_rate_bytes_per_s=5)
    assert "they are told 65535 bytes/s" in said(bureau, join_rate_bytes_per_s=None)
    assert "65535" not in said(bureau, join_rate_bytes_per_s=6)


def test_an_address_that_cannot_be_taken_back_is_said(bureau: Bureau) -> None:
    """Who knows one keeps it."""
    bureau.set(jrc_address=JRC)
    text = said(bureau, jrc_address=None)
    assert "Nodes that know the JRC's address 2001:db8:5::1 keep it until they join again" in text


def test_a_lease_says_when_it_is_renewed(bureau: Bureau) -> None:
    """RFC 9031 §8.4.4."""
    assert "others when a third is left" in said(bureau, lease_hours=24)


def test_who_takes_no_updates_hears_of_it_later(bureau: Bureau) -> None:
    """Counted apart."""
    bureau.join(7, profile=Profile.OPENWSN)
    text = said(bureau, join_rate_bytes_per_s=5)
    assert "3 nodes of network lab are told" in text
    assert "1 node takes no updates, and hears of it with the next join." in text


def test_a_network_that_falls_quiet_asks_first(bureau: Bureau) -> None:
    """Known nodes can't join either while it is (RFC 9031 §8.4.2)."""
    found = plan(bureau, admission=Admission.WINDOW, quiet_outside_windows=True)
    assert found.needs_consent
    assert "waits for the next window" in " ".join(found.sentences)
    with pytest.raises(OperatorError, match="has no windows"):
        plan(bureau, quiet_outside_windows=True)


def test_an_identifier_is_changed_in_stages(bureau: Bureau) -> None:
    """The new one beside the old one; who has joined since then stays when that is dropped."""
    found = plan(bureau, identifiers=(NEW,))
    assert (found.needs_consent, found.count) == (True, 3)
    assert "Give beef beside cafe first" in " ".join(found.sentences)
    assert not plan(bureau, identifiers=(NEW, OLD)).needs_consent
    bureau.set(identifiers=(NEW, OLD))
    bureau.desk.now_ms += 1000
    with hall_at(bureau.desk) as hall:
        for number in (1, 2):
            hall.join(bureau.pledges[number], AS_NEW)
    found = plan(bureau, identifiers=(NEW,))
    assert (found.needs_consent, found.pledges) == (True, (str(pledge_id(3)),))
    assert "have not joined since the last of the others was added" in " ".join(found.sentences)
    bureau.set(identifiers=(NEW,))
    assert {1, 2} == joined(bureau)


def test_an_identifier_that_nobody_needs_goes_without_a_question(bureau: Bureau) -> None:
    """Everybody has joined since."""
    bureau.set(identifiers=(NEW, OLD))
    bureau.desk.now_ms += 1000
    with hall_at(bureau.desk) as hall:
        for pledge in bureau.pledges.values():
            hall.join(pledge, AS_NEW)
    found = plan(bureau, identifiers=(NEW,))
    assert not found.needs_consent
    bureau.set(identifiers=(NEW,))
    assert {1, 2, 3} == joined(bureau)


def test_an_identifier_keeps_its_age(bureau: Bureau) -> None:
    """Whatever else is changed of the network."""
    bureau.set(identifiers=(OLD, NEW))
    bureau.desk.now_ms += 1000
    with hall_at(bureau.desk) as hall:
        hall.join(bureau.pledges[1], AS_NEW)
    bureau.desk.now_ms += 1000
    bureau.set(identifiers=(NEW, OLD), join_rate_bytes_per_s=5)
    assert 2 == plan(bureau, identifiers=(NEW,)).count


def test_a_prefix_makes_everybody_join_again(bureau: Bureau) -> None:
    """Nobody's address is known then (RFC 9031 §8.2.1)."""
    wanted = NetworkChanges(prefix=IPv6Network("2001:db8:9::/64"))
    with pytest.raises(OperatorError, match="A new prefix makes 3 nodes of network lab join again"):
        bureau.desk.write(lambda tx: set_network(tx, "lab", wanted, actor=ACTOR))
    assert {1, 2, 3} == joined(bureau)
    bureau.set(prefix=IPv6Network("2001:db8:9::/64"))
    assert set() == joined(bureau)


def test_a_registrars_new_address_is_told_to_who_has_joined(bureau: Bureau) -> None:
    """Also where it follows an interface: both ways go through one place (§8.4.2)."""
    bureau.set(jrc_address=JRC)
    found = bureau.told()
    assert {1, 2, 3} == set(found)
    assert {JRC.packed} == {each.jrc_address for each in found.values()}
