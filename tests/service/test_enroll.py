"""Adding, revoking, restoring and removing single pledges."""

import os
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import pytest

from jrc.cojp.algorithms import Aead
from jrc.cojp.oscore_context import derive_for_jrc
from jrc.errors import ExitCode, OperatorError
from jrc.model import PledgeId, PledgeState, Secret
from jrc.service.applicants import Applicant, DerivedKeys
from jrc.service.enroll import Changed, Enrolled, add_pledge, remove_pledge
from jrc.service.events import list_events
from jrc.service.examine import OnConflict
from jrc.service.pledges import list_pledges, show_pledge
from jrc.service.revoking import Restored, restore_pledge, revoke_pledge
from tests.desk import ACTOR, Desk, pledge_id
from tests.service.enrolling import KEY, OTHER_KEY, act, add, derived, join, usable


def events(desk: Desk) -> list[str]:
    entries = desk.read(lambda tx: list_events(tx, pledge=pledge_id(1)))
    return [entry.kind for entry in entries]


# Adding


def test_an_added_pledge_is_found_by_the_join_path(lab: Desk) -> None:
    """Its context is derived as RFC 9031 §7.3 says."""
    assert add(lab, 1, KEY) == Enrolled(
        pledge_id="00124b0000000001", outcome="added", networks=("lab",)
    )
    expected = derive_for_jrc(KEY, pledge_id(1).value).recipient_key
    assert usable(lab, pledge_id(1)) == [expected]
    (report,) = lab.read(list_pledges)
    assert (report.pledge_id, report.state, report.networks, report.role) == (
        "00124b0000000001", "provisioned", ("lab",), "6ln",
    )  # fmt: skip
    assert (report.short_id, report.last_join, report.address) == (None, None, None)


def test_a01_the_same_pledge_with_the_same_key_is_no_change(lab: Desk) -> None:
    """RFC 9031 §3: a no-op, with no event."""
    add(lab, 1, KEY)
    before = lab.sql("SELECT * FROM pledge")
    assert add(lab, 1, KEY).outcome == "unchanged"
    assert (lab.sql("SELECT * FROM pledge"), events(lab)) == (before, ["pledge.added"])


def test_a01_the_same_pledge_with_another_key_is_refused_with_both_named(lab: Desk) -> None:
    """RFC 9031 §3, §9; the source of the one that is there is named."""
    add(lab, 1, KEY, source="plant.csv:17")
    with pytest.raises(OperatorError, match=r"00124b0000000001 .* \(plant.csv:17\)") as refusal:
        add(lab, 1, OTHER_KEY)
    assert refusal.value.exit_code == ExitCode.REFUSED
    assert KEY.hex() not in str(refusal.value)
    assert OTHER_KEY.hex() not in str(refusal.value)


def test_a01_the_same_key_with_other_details_says_what_differs(lab: Desk) -> None:
    """Nothing is changed in passing."""
    add(lab, 1, KEY)
    with pytest.raises(OperatorError, match="differs in role and label"):
        add(lab, 1, KEY, role=1, label="door")
    assert add(lab, 1, KEY, OnConflict.SKIP, role=1).outcome == "skipped"
    assert add(lab, 1, KEY, OnConflict.REPLACE, role=1).outcome == "changed"
    assert lab.read(list_pledges)[0].role == "6lbr"
    assert len(usable(lab, pledge_id(1))) == 1


def test_a02_a_key_of_another_pledge_is_refused_with_its_owner(lab: Desk) -> None:
    """RFC 9031 §9: each pledge has its own."""
    add(lab, 1, KEY)
    with pytest.raises(OperatorError, match="one of pledge 00124b0000000001"):
        add(lab, 2, KEY)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (KEY[:15], "has 15 bytes"),
        (bytes(16), "all its bytes are equal"),
        (sha256(pledge_id(1).value).digest()[:16], "hash of the identifier"),
    ],
)
def test_a02_a03_weak_keys_are_refused(lab: Desk, key: bytes, message: str) -> None:
    """RFC 9031 §3, §9."""
    with pytest.raises(OperatorError, match=message):
        add(lab, 1, key)
    assert lab.sql("SELECT count(*) FROM pledge") == [(0,)]


def test_a04_identifiers_of_any_length_work(lab: Desk) -> None:
    """1 to 248 bytes (RFC 9031 §3)."""
    for identifier in (b"\x07", bytes(range(8, 256))):
        who = Applicant(identifier=PledgeId(identifier), keys=Secret(os.urandom(16)))
        lab.write(lambda tx, who=who: add_pledge(tx, who, actor=ACTOR))  # type: ignore[misc]
        assert len(usable(lab, PledgeId(identifier))) == 1


def test_a06_derived_keys_give_the_context_that_the_psk_gives(lab: Desk) -> None:
    """RFC 9031 App. B."""
    add(lab, 1, derived(1, KEY))
    assert usable(lab, pledge_id(1)) == [derive_for_jrc(KEY, pledge_id(1).value).recipient_key]
    assert lab.read(lambda tx: show_pledge(tx, pledge_id(1))).credentials[0].kind == "derived"


@pytest.mark.parametrize("psk_first", [True, False])
def test_a06_a_psk_and_its_derived_form_are_one_key(lab: Desk, psk_first: bool) -> None:
    """Uniqueness is kept over derived keys (RFC 9031 App. B)."""
    forms: list[bytes | DerivedKeys] = [KEY, derived(1, KEY)]
    first, second = forms if psk_first else forms[::-1]
    add(lab, 1, first)
    assert add(lab, 1, second).outcome == "unchanged"
    if not psk_first:
        return
    with pytest.raises(OperatorError, match="one of pledge 00124b0000000001"):
        add(lab, 2, derived(1, KEY))


def test_a06_a_derived_key_that_another_pledge_has_on_the_other_side_is_refused(lab: Desk) -> None:
    """A sender key must not be anybody's recipient key either."""
    add(lab, 1, derived(1, KEY))
    taken = derived(1, KEY)
    keys = replace(derived(2, OTHER_KEY), pledge_recipient_key=taken.pledge_sender_key)
    with pytest.raises(OperatorError, match="one of pledge 00124b0000000001"):
        add(lab, 2, keys)


def test_a07_other_algorithms_are_honoured(lab: Desk) -> None:
    """RFC 9031 §3, §7.3."""
    add(lab, 1, KEY, aead=Aead.A128GCM.value, hkdf=-11)
    expected = derive_for_jrc(KEY, pledge_id(1).value, Aead.A128GCM, -11).recipient_key
    assert usable(lab, pledge_id(1)) == [expected]


def test_a07_unknown_algorithms_are_refused_by_name(lab: Desk) -> None:
    """RFC 9031 §7.3."""
    with pytest.raises(OperatorError, match="AEAD algorithm 99 is not supported"):
        add(lab, 1, KEY, aead=99)


def test_a07_one_psk_is_not_used_with_two_algorithms(lab: Desk) -> None:
    """Windows would not be shared."""
    add(lab, 1, KEY)
    with pytest.raises(OperatorError, match="with other algorithms"):
        add(lab, 1, KEY, OnConflict.REPLACE, aead=Aead.A128GCM.value)


def test_a08_an_identifier_that_is_a_cbor_byte_string_is_refused(lab: Desk) -> None:
    """It could not be told from an RFC 8613 App. B.2 kid context."""
    who = Applicant(identifier=PledgeId(b"\x48" + bytes(8)), keys=Secret(KEY))
    with pytest.raises(OperatorError, match="pledge_id: the identifier is itself"):
        lab.write(lambda tx: add_pledge(tx, who, actor=ACTOR))


def test_a_pledge_names_its_network_unless_there_is_only_one(desk: Desk) -> None:
    """None, one, two networks."""
    with pytest.raises(OperatorError, match="no network to join yet"):
        add(desk, 1, KEY)
    desk.network("north", b"\x01")
    assert add(desk, 1, KEY).networks == ("north",)
    desk.network("south", b"\x02")
    with pytest.raises(OperatorError, match="which network may it join"):
        add(desk, 2, OTHER_KEY)
    with pytest.raises(OperatorError, match="did you mean south"):
        add(desk, 2, OTHER_KEY, networks=("sout",))
    assert add(desk, 2, OTHER_KEY, networks=("south", "north")).networks == ("south", "north")


def test_a05_a_replaced_key_is_unusable_from_that_instant(lab: Desk) -> None:
    """The former secret is wiped, its fingerprint and window stay (RFC 9031 §3)."""
    add(lab, 1, KEY)
    assert add(lab, 1, OTHER_KEY, OnConflict.REPLACE).outcome == "replaced"
    expected = derive_for_jrc(OTHER_KEY, pledge_id(1).value).recipient_key
    assert usable(lab, pledge_id(1)) == [expected]
    states = lab.sql("SELECT state, wrapped_secret IS NULL FROM credential ORDER BY id")
    assert states == [("superseded", 1), ("current", 0)]
    assert lab.sql("SELECT length(wrapped_keys) > 0 FROM context ORDER BY id") == [(0,), (1,)]
    assert lab.sql("SELECT count(*) FROM context_state") == [(2,)]
    with pytest.raises(OperatorError, match="was superseded: it can't come back"):
        add(lab, 1, KEY, OnConflict.REPLACE)


def test_a_pledge_with_a_new_key_has_to_join_again(lab: Desk) -> None:
    """It keeps its short identifier meanwhile (row F5)."""
    add(lab, 1, KEY)
    join(lab)
    add(lab, 1, OTHER_KEY, OnConflict.REPLACE)
    (report,) = lab.read(list_pledges)
    assert (report.state, report.short_id, report.last_join) == ("provisioned", "0042", None)
    assert lab.sql("SELECT count(*) FROM node") == [(0,)]


def test_no_key_is_found_in_the_file(lab: Desk) -> None:
    """PSK and derived keys are stored wrapped."""
    add(lab, 1, KEY)
    security = derive_for_jrc(KEY, pledge_id(1).value)
    stored = lab.path.read_bytes() + lab.path.with_name("jrc.db-wal").read_bytes()
    assert pledge_id(1).value in stored
    for secret in (KEY, security.sender_key, security.recipient_key, security.common_iv):
        assert secret not in stored
        assert secret.hex().encode() not in stored


def test_a_joined_pledge_is_shown_with_its_addresses(lab: Desk) -> None:
    """RFC 9031 §8.2.1; times are in UTC."""
    add(lab, 1, KEY)
    join(lab)
    (report,) = lab.read(list_pledges)
    assert (report.state, report.short_id, report.address, report.last_join) == (
        "joined", "0042", "2001:db8::212:4b00:0:1", "2026-11-30T00:53:20.123Z",
    )  # fmt: skip
    details = lab.read(lambda tx: show_pledge(tx, pledge_id(1)))
    assert (details.joined_network, details.highest_number) == ("lab", 7)


def test_a_revoked_pledge_gets_no_new_key(lab: Desk) -> None:
    """An import must not take a revocation back by the way."""
    add(lab, 1, KEY)
    act(lab, revoke_pledge, 1)
    with pytest.raises(OperatorError, match="is revoked and gets no new key"):
        add(lab, 1, OTHER_KEY, OnConflict.REPLACE)
    assert lab.read(list_pledges)[0].state == "revoked"


@pytest.mark.parametrize("use_case", [revoke_pledge, restore_pledge, remove_pledge])
def test_an_unknown_pledge_is_refused(
    lab: Desk, use_case: Callable[..., Changed | Restored]
) -> None:
    """As is one that was removed."""
    with pytest.raises(OperatorError, match="is unknown"):
        act(lab, use_case, 1)
    add(lab, 1, KEY)
    act(lab, remove_pledge, 1)
    with pytest.raises(OperatorError, match="was removed"):
        act(lab, use_case, 1)


def test_a_row_that_was_edited_is_shown_as_damaged_and_not_worked_on(lab: Desk) -> None:
    """Giving a role or a network by hand does not authenticate."""
    add(lab, 1, KEY)
    lab.sql("UPDATE pledge SET role = 1")
    assert lab.read(list_pledges)[0].damaged is True
    with pytest.raises(OperatorError, match="does not authenticate"):
        act(lab, revoke_pledge, 1)


def test_lists_come_in_pages_and_by_network_and_state(desk: Desk) -> None:
    """Pages are in the order of identifiers."""
    desk.network("north", b"\x01")
    desk.network("south", b"\x02")
    for number in range(1, 6):
        desk.pledge(number, networks=("north",) if number % 2 else ("south", "north"))
    act(desk, revoke_pledge, 3)

    def ids(**filters: object) -> list[str]:
        found = desk.read(lambda tx: list_pledges(tx, **filters))  # type: ignore[arg-type]
        return [report.pledge_id[-1] for report in found]

    assert ids(limit=2) == ["1", "2"]
    assert ids(limit=2, after=pledge_id(2)) == ["3", "4"]
    assert ids(network="south") == ["2", "4"]
    assert ids(state=PledgeState.REVOKED) == ["3"]


def test_reports_clear_when_the_key_changes(lab: Desk) -> None:
    """Row C7 (RFC 9031 §8.4.5)."""
    add(lab, 1, KEY)
    lab.sql("INSERT INTO unsupported_parameter VALUES (1, 7, 0, NULL, 1)")
    details = lab.read(lambda tx: show_pledge(tx, pledge_id(1)))
    assert [(entry.label, entry.addinfo) for entry in details.unsupported] == [(7, None)]
    add(lab, 1, OTHER_KEY, OnConflict.REPLACE)
    assert lab.read(lambda tx: show_pledge(tx, pledge_id(1))).unsupported == ()
