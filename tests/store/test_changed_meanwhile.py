"""What an operator has changed since a registrar read it, at this registrar or at another one."""

from collections.abc import Callable
from ipaddress import IPv6Address
from typing import Any

import pytest

from jrc.cojp import oscore
from jrc.cojp.codec import decode_configuration
from jrc.cojp.constants import CoapCode
from jrc.cojp.message import Inner
from jrc.errors import Reason
from jrc.model import Profile, Secret
from jrc.service.applicants import Applicant
from jrc.service.enroll import add_pledge, remove_pledge
from jrc.service.examine import OnConflict
from jrc.service.networks import NetworkChanges, remove_network, set_network
from jrc.service.revoking import revoke_pledge
from tests.daemon.wire import OddPledge
from tests.desk import ACTOR, Desk, pledge_id
from tests.joining import Hall, next_generation
from tests.service.fakes import PSK
from tests.store.two_registrars import commits, enrolled

OPENWSN = Profile.OPENWSN


AS_6LBR = bytes.fromhex("a201010542cafe")


OTHER_PSK = bytes.fromhex("5b0e93c4d1f62a7788e4013bc95d6f20")


Change = Callable[[Desk], object]


def revoked(desk: Desk) -> None:
    desk.write(lambda tx: revoke_pledge(tx, pledge_id(1), actor=ACTOR))


def removed(desk: Desk) -> None:
    desk.write(lambda tx: remove_pledge(tx, pledge_id(1), actor=ACTOR))


def replaced(**more: Any) -> Change:
    """Enrolled again with another key, role, network or profile."""
    details = {"keys": Secret(PSK), "networks": ("lab",), "role": 1, **more}
    who = Applicant(identifier=pledge_id(1), **details)

    def change(desk: Desk) -> None:
        desk.write(lambda tx: add_pledge(tx, who, actor=ACTOR, on_conflict=OnConflict.REPLACE))

    return change


def network_removed(desk: Desk) -> None:
    desk.write(lambda tx: remove_network(tx, "lab", actor=ACTOR, agreed=True))


def network_changed(desk: Desk) -> None:
    changes = NetworkChanges(jrc_address=IPv6Address("2001:db8::9"))
    desk.write(lambda tx: set_network(tx, "lab", changes, actor=ACTOR, agreed=True))


def keys_changed(desk: Desk) -> None:
    next_generation(desk, retire=True)


@pytest.fixture(params=["its own", "another's"])
def asked(request: pytest.FixtureRequest, first: Hall, second: Hall) -> Hall:
    """The registrar with a request of pledge 1 in flight, and pledge and terms in memory.

    The operator's changes are made at ``first``.
    """
    first.desk.network("south", b"\x05", prefix="2001:db8:1::/64")
    hall = first if request.param == "its own" else second
    pledge = enrolled(first, second, key=PSK, role=1, networks=("lab",))
    hall.join(pledge, AS_6LBR)
    hall.device = pledge  # type: ignore[attr-defined]
    hall.take(pledge.request(AS_6LBR))
    assert 1 == len(hall.asks)
    return hall


@pytest.mark.parametrize("change", [revoked, removed, replaced(keys=Secret(OTHER_PSK))])
def test_m03_who_is_not_in_force_any_more_gets_silence(asked: Hall, change: Change) -> None:
    """RFC 9031 §9: from the instant at which the operator's change is on disk."""
    change(asked.desk)
    before = asked.row(), commits(asked)
    asked.commit()
    assert ({Reason.REVOKED: 1}, 1) == (asked.metrics.drops, len(asked.outbox.sent))
    assert before == (asked.row(), commits(asked))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (replaced(role=0), Reason.ROLE_NOT_GRANTED),
        (replaced(networks=("south",)), Reason.UNKNOWN_NETWORK),
        (network_removed, Reason.UNKNOWN_NETWORK),
    ],
)
def test_c06_c10_who_may_join_no_more_is_refused(
    asked: Hall, change: Change, reason: Reason
) -> None:
    """RFC 9031 §8.4.1: what memory has of the pledge, and terms of its kind, count no more."""
    change(asked.desk)
    asked.commit()
    assert ("", reason) == asked.metrics.answers[-1]
    assert CoapCode.BAD_REQUEST == opened(asked).code


@pytest.mark.parametrize("change", [network_changed, keys_changed, replaced(profile=OPENWSN)])
def test_c02_who_may_join_gets_what_holds_now(asked: Hall, change: Change) -> None:
    """RFC 9031 §8.4.2: keys, address and profile as the transaction finds them."""
    former = decode_configuration(opened(asked, 0).payload)
    change(asked.desk)
    asked.commit()
    told = decode_configuration(opened(asked).payload)
    assert (change is keys_changed) is (former.keys != told.keys)
    assert (change is network_changed) is (told.jrc_address is not None)
    assert (change in (network_changed, keys_changed)) is (told.short_identifier is not None)


def opened(hall: Hall, number: int = -1) -> Inner:
    """What one of the two answers says; the pledge's last request has number 1."""
    device: OddPledge = hall.device  # type: ignore[attr-defined]
    device.partial_iv = oscore.encode_piv(number % 2)
    return device.open(hall.outbox.sent[number][0])
