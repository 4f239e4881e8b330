"""Profiles of networks and pledges: what is refused, what is accepted, what is shown."""

from dataclasses import replace

import pytest

from jrc.cojp.objects import LinkLayerKey
from jrc.errors import ExitCode, OperatorError, Reason
from jrc.model import PledgeState, Profile, Secret
from jrc.policy.profiles import TRAITS
from jrc.service.applicants import Applicant, DerivedKeys
from jrc.service.enroll import add_pledge
from jrc.service.events import list_events
from jrc.service.examine import OnConflict
from jrc.service.explain import explain_pledge
from jrc.service.import_file import read_rows
from jrc.service.imports import Import, ImportReport
from jrc.service.key_domains import ensure_keys
from jrc.service.network_reports import show_network
from jrc.service.networks import NetworkChanges, remove_network, set_network
from jrc.service.pledge_settings import PledgeChanges, plan_pledge_change, set_pledge
from jrc.service.pledges import PledgeDetails, show_pledge
from jrc.service.records import Domain
from jrc.service.registry import Registry
from jrc.service.takeover import TakeOver, take_over_keys
from tests.desk import ACTOR, Desk, pledge_id
from tests.joining import hall_at

OPENWSN, RFC9031 = Profile.OPENWSN, Profile.RFC9031
CAFE, FECA = b"\xca\xfe", b"\xfe\xca"
NAME = pledge_id(1)
GOOD = Secret(bytes.fromhex("8c1d5f0ba7e34296d8317cb05efa6921"))


def taken_over(desk: Desk, key_id: int = 23, addinfo: bytes | None = None) -> None:
    """A key domain ``old`` with a key that a network had before."""
    key = LinkLayerKey(key_id, Secret(bytes(range(16))), 0, addinfo)

    def work(tx: Registry) -> None:
        domain = tx.keysets.add_domain("old", (0,))
        take_over_keys(tx, domain, TakeOver((key,)), ACTOR, "")

    desk.write(work)


def set_profile(desk: Desk, profile: Profile | None, *, agreed: bool = False) -> bool:
    """``jrc pledge set``; whether it changed anything."""
    changes = PledgeChanges(profile=profile)
    done = desk.write(lambda tx: set_pledge(tx, NAME, changes, actor=ACTOR, agreed=agreed))
    return done.changed


def shown(desk: Desk) -> PledgeDetails:
    return desk.read(lambda tx: show_pledge(tx, NAME))


# Networks


def test_c06_one_command_lets_motes_in_that_send_the_pan_id_reversed(desk: Desk) -> None:
    """RFC 9031 §8.4.1: ``network add --network-id cafe --profile openwsn`` is enough for feca."""
    report = desk.network(profile=OPENWSN)
    assert ("cafe", "feca") == report.identifiers
    assert TRAITS[OPENWSN].meaning == report.profile_means
    with hall_at(desk) as hall:
        mote = hall.enroll()
        for asked in (FECA, CAFE):
            told = hall.join(mote, b"\xa1\x05\x42" + asked)
            assert (None, None, None) == (
                told.short_identifier,
                told.jrc_address,
                told.join_rate_bytes_per_s,
            )
            assert [(1, 0)] == [(key.key_id, key.key_usage) for key in told.keys]


def test_c06_a_network_of_the_rfc_accepts_the_order_it_was_given(desk: Desk) -> None:
    """RFC 9031 §8.4.1: two byte orders are two identifiers."""
    assert ("cafe",) == desk.network().identifiers


def test_m01_a_reversed_pan_id_is_an_identifier_like_any_other(desk: Desk) -> None:
    """RFC 9031 §8.4.4.1: another network with it has to share the keys."""
    desk.network(profile=OPENWSN)
    with pytest.raises(OperatorError, match="hall and lab share the identifier feca"):
        desk.network("hall", FECA)
    assert "lab" == desk.network("hall", FECA, key_domain="lab").key_domain


def test_a_network_that_becomes_openwsn_gets_both_orders(desk: Desk) -> None:
    """What is given later is completed, too; nothing is taken away when it changes back."""
    desk.network()

    def change(**changes: object) -> tuple[str, ...]:
        wanted = NetworkChanges(**changes)  # type: ignore[arg-type]
        return desk.write(lambda tx: set_network(tx, "lab", wanted, actor=ACTOR)).identifiers

    assert ("cafe", "feca") == change(profile=OPENWSN)
    assert ("beef", "efbe") == change(identifiers=(b"\xbe\xef",))
    assert ("beef", "efbe") == change(profile=RFC9031)
    assert ("cafe",) == change(identifiers=(CAFE,))


@pytest.mark.parametrize(
    ("usages", "sentence"),
    [((6, 12), "a key set of 1 key, and this one has 2"), ((1,), "key usage 0 alone, and not 1")],
)
def test_d01_a_network_of_openwsn_has_one_key_of_usage_0(
    desk: Desk, usages: tuple[int, ...], sentence: str
) -> None:
    """RFC 9031 §8.4.3, when the network is made and when it changes its profile."""
    with pytest.raises(OperatorError, match=sentence) as refusal:
        desk.network(profile=OPENWSN, key_usages=usages)
    assert refusal.value.exit_code is ExitCode.REFUSED
    desk.network(key_usages=usages)
    changes = NetworkChanges(profile=OPENWSN)
    with pytest.raises(OperatorError, match=sentence):
        desk.write(lambda tx: set_network(tx, "lab", changes, actor=ACTOR))
    assert "rfc9031" == desk.read(lambda tx: show_network(tx, "lab")).profile


def test_d01_a_key_domain_with_key_id_23_is_refused_to_openwsn(desk: Desk) -> None:
    """RFC 9031 §8.4.3: the sentence says why; the RFC's own devices take it."""
    taken_over(desk)
    with pytest.raises(OperatorError, match="reject key id 23"):
        desk.network(profile=OPENWSN, key_domain="old")
    assert (23,) == desk.network(key_domain="old").key_ids


def test_d02_a_key_source_is_refused_to_openwsn(desk: Desk) -> None:
    """RFC 9031 §8.4.3.3: the generation remembers that its key has one."""
    taken_over(desk, 1, b"\x01\x02\x03\x04")
    with pytest.raises(OperatorError, match="no key with a key source"):
        desk.network(profile=OPENWSN, key_domain="old")
    desk.network(key_domain="old")


def test_d05_new_keys_of_openwsn_never_get_id_23(desk: Desk) -> None:
    """RFC 9031 §8.4.3.1: ids go on after those before, past the one that is rejected."""
    found: list[int] = []
    for _ in range(24):
        found += desk.network(profile=OPENWSN, key_domain="lab").key_ids
        desk.write(lambda tx: remove_network(tx, "lab", actor=ACTOR, agreed=True))
    assert [*range(1, 23), 24, 25] == found


def test_d01_a_mote_in_a_network_of_the_rfc_counts_when_keys_are_drawn(desk: Desk) -> None:
    """RFC 9031 §8.4.3: also before its network has any keys."""
    desk.network()
    desk.pledge(profile=OPENWSN)
    domain = Domain(1, "lab", (6, 12))
    desk.write(lambda tx: tx.keysets.retire_all(1))
    with pytest.raises(OperatorError, match="a key set of 1 key"):
        desk.write(lambda tx: ensure_keys(tx, domain, ACTOR, ""))
    desk.write(lambda tx: ensure_keys(tx, domain._replace(key_usages=(0,)), ACTOR, ""))


# Pledges


def test_d01_a_pledge_of_a_profile_that_can_not_take_the_keys_is_refused(desk: Desk) -> None:
    """RFC 9031 §8.4.3: when it is added, imported and changed."""
    desk.network(key_usages=(6, 12))
    with pytest.raises(OperatorError, match=r"profile: network lab: .* a key set of 1 key"):
        desk.pledge(profile=OPENWSN)
    report = imported(desk, "00124b0000000002", GOOD)
    assert report.error_count
    desk.pledge()
    with pytest.raises(OperatorError, match="a key set of 1 key"):
        set_profile(desk, OPENWSN)
    assert None is shown(desk).profile


def imported(desk: Desk, name: str, psk: Secret, **options: object) -> ImportReport:
    """One row with the profile openwsn."""
    job = Import("keys.csv", actor=ACTOR, **options)  # type: ignore[arg-type]
    data = f"pledge_id,psk,profile\n{name},{psk.reveal().hex()},openwsn\n".encode()
    desk.write(job.begin)
    desk.write(lambda tx: job.stage(tx, list(read_rows([data]))))
    report = desk.write(job.finish)
    while desk.write(job.sweep):
        pass
    return report


def test_an_import_gives_a_profile(desk: Desk) -> None:
    """The column ``profile``; without it the network's counts."""
    desk.network()
    report = imported(desk, str(NAME), GOOD)
    assert (1, 0) == (report.added, report.error_count)
    assert "openwsn" == shown(desk).profile


def test_a_pledge_shows_the_profile_in_force_and_what_it_means(desk: Desk) -> None:
    """Its own, or that of its network."""
    desk.network(profile=OPENWSN)
    desk.pledge()
    found = shown(desk)
    assert (None, "openwsn") == (found.profile, found.profile_in_force)
    assert TRAITS[OPENWSN].meaning == found.profile_means
    assert set_profile(desk, RFC9031)
    found = shown(desk)
    assert ("rfc9031", "rfc9031") == (found.profile, found.profile_in_force)
    assert not set_profile(desk, RFC9031)
    assert set_profile(desk, None)
    assert (None, "openwsn") == (shown(desk).profile, shown(desk).profile_in_force)


def test_a_changed_profile_counts_from_the_next_join_on(desk: Desk) -> None:
    """RFC 9031 §8.4.2: a pledge that has joined must agree, for it has to join again."""
    desk.network()
    with hall_at(desk) as hall:
        mote = hall.enroll()
        assert hall.join(mote).short_identifier is not None
        with pytest.raises(OperatorError, match="has to join again") as refusal:
            set_profile(desk, OPENWSN)
        assert refusal.value.exit_code is ExitCode.REFUSED
        assert set_profile(desk, OPENWSN, agreed=True)
        assert PledgeState.PROVISIONED.value == shown(desk).pledge.state
        hall.contexts.forget_all()
        assert hall.join(mote).short_identifier is None
    assert "pledge.changed" in [event.kind for event in desk.read(list_events)]


def test_a_label_changes_without_a_question(desk: Desk) -> None:
    """Nothing of a join hangs on it; one that can't be shown is refused."""
    desk.network()
    with hall_at(desk) as hall:
        hall.join(hall.enroll())
    changes = PledgeChanges(label="node 7")
    assert not desk.read(lambda tx: plan_pledge_change(tx, NAME, changes)).needs_consent
    desk.write(lambda tx: set_pledge(tx, NAME, changes, actor=ACTOR))
    assert ("node 7", "joined") == (shown(desk).pledge.label, shown(desk).pledge.state)
    bad = PledgeChanges(label="\x1b[2J")
    with pytest.raises(OperatorError, match=r"label: .* printable"):
        desk.write(lambda tx: set_pledge(tx, NAME, bad, actor=ACTOR))


# Keys that everybody can compute


def test_a03_a_lab_takes_weak_keys_and_marks_them(desk: Desk) -> None:
    """RFC 9031 §9: the mark goes with the key, whichever way it comes; good keys get none."""
    desk.network()
    weak = bytes.fromhex("deadbeefcafedeadbeefcafedeadbeef")
    with pytest.raises(OperatorError, match="the PSK is weak: a short block of bytes is repeated"):
        desk.pledge(key=weak)
    desk.pledge(key=weak, allow_weak=True)
    desk.pledge(2, allow_weak=True)
    of_identifier = Secret(b"12345678" + pledge_id(3).value)
    assert imported(desk, str(pledge_id(3)), of_identifier).error_count
    assert not imported(desk, str(pledge_id(3)), of_identifier, allow_weak=True).error_count

    def provenance(number: int) -> str:
        found = desk.read(lambda tx: show_pledge(tx, pledge_id(number)))
        return found.credentials[0].provenance

    assert ["lab", "operator", "lab"] == [provenance(number) for number in (1, 2, 3)]
    assert 2 == desk.read(lambda tx: tx.credentials.count("lab"))


@pytest.mark.parametrize("key", [bytes(8), bytes(65)])
def test_a02_a_lab_takes_no_key_of_a_wrong_length(desk: Desk, key: bytes) -> None:
    """RFC 9031 §3: nothing is lifted but the look at the bytes."""
    desk.network()
    with pytest.raises(OperatorError, match="and 16 to 64 are needed"):
        desk.pledge(key=key, allow_weak=True)


def test_a02_a_lab_takes_no_key_twice(desk: Desk) -> None:
    """RFC 9031 §3: each of these devices needs a registrar of its own."""
    desk.network()
    desk.pledge(1, key=bytes(16), allow_weak=True)
    with pytest.raises(OperatorError, match="this key is the one of pledge"):
        desk.pledge(2, key=bytes(16), allow_weak=True)


def test_a03_derived_keys_are_looked_at_alike(desk: Desk) -> None:
    """RFC 9031 App. B: equal ones stay refused."""
    desk.network()
    keys = DerivedKeys(Secret(bytes(16)), Secret(b"\x01" * 16), Secret(bytes(13)))
    who = Applicant(identifier=NAME, keys=keys)
    with pytest.raises(OperatorError, match="is weak"):
        desk.write(lambda tx: add_pledge(tx, who, actor=ACTOR))
    lab = who._replace(allow_weak=True)
    desk.write(lambda tx: add_pledge(tx, lab, actor=ACTOR, on_conflict=OnConflict.FAIL))
    equal = lab._replace(keys=replace(keys, pledge_recipient_key=keys.pledge_sender_key))
    with pytest.raises(OperatorError, match="are equal"):
        desk.write(lambda tx: add_pledge(tx, equal, actor=ACTOR))


# What is said to whom a mote stays out


def explained(desk: Desk) -> list[tuple[str, str]]:
    """Reasons and sentences of ``jrc pledge explain``, without those of a daemon."""
    found = desk.read(lambda tx: explain_pledge(tx, NAME, None))
    assert not any(fact.blocks for fact in found.facts)
    return [(fact.reason, fact.sentence) for fact in found.facts]


def test_a_mote_in_a_network_with_one_byte_order_is_explained(desk: Desk) -> None:
    """RFC 9031 §8.4.1: a profile of its own does not change the network's identifiers."""
    desk.network()
    desk.pledge(profile=OPENWSN)
    ((reason, sentence),) = explained(desk)
    assert Reason.UNKNOWN_NETWORK == reason
    assert "call network lab feca, which is none of its identifiers" in sentence
    both = NetworkChanges(identifiers=(CAFE, FECA))
    desk.write(lambda tx: set_network(tx, "lab", both, actor=ACTOR))
    assert [] == explained(desk)


def test_b03_a_mote_that_has_joined_is_explained_to_be_silent_after_a_restart(desk: Desk) -> None:
    """RFC 9031 §7.3.2: what it sends then was accepted before; the RFC's devices remember."""
    desk.network(profile=OPENWSN)
    with hall_at(desk) as hall:
        mote = hall.enroll()
        assert [] == explained(desk)
        mote.number = 7
        hall.join(mote)
    ((reason, sentence),) = explained(desk)
    assert Reason.REPLAYED == reason
    assert "up to number 7, one a minute" in sentence
    assert set_profile(desk, RFC9031, agreed=True)
    assert [] == explained(desk)
