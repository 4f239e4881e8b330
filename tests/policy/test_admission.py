"""Who may join which network in which role, and with which parameters."""

from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jrc.cojp.codec import ConfigurationForm, decode_configuration
from jrc.cojp.constants import MAX_CBOR_BYTES
from jrc.cojp.objects import Configuration, JoinRequest, UnsupportedParameter
from jrc.errors import OperatorError, Reason, StateError
from jrc.model import KeySetState, Network, Pledge, PledgeId, PledgeState, Profile, Secret
from jrc.policy.admission import (
    MAX_TOLD_BLOCKED,
    MAX_TOLD_BLOCKED_BYTES,
    Admitted,
    Refused,
    bounded_blocklist,
    check_identifier_sharing,
    configuration_for,
    decide,
    reported_labels,
)
from jrc.policy.keys import KeySet, make_key_set
from jrc.policy.profiles import TRAITS

NODE, LBR = 0, 1
CAFE, FECA = b"\xca\xfe", b"\xfe\xca"


def network(number: int, *identifiers: bytes, domain: int = 1) -> Network:
    return Network(
        id=number,
        name=f"net{number}",
        domain_id=domain,
        domain=f"domain{domain}",
        identifiers=identifiers or (CAFE,),
        prefix=IPv6Network("2001:db8::/64"),
        jrc_address=IPv6Address("2001:db8::1"),
        lease_hours=24,
        join_rate_bytes_per_s=100,
    )


def pledge(*network_ids: int, role: int = NODE) -> Pledge:
    return Pledge(
        id=1,
        identifier=PledgeId(b"12345678"),
        state=PledgeState.PROVISIONED,
        role=role,
        network_ids=network_ids,
    )


def key_set(state: KeySetState = KeySetState.CURRENT, number: int = 1) -> KeySet:
    return make_key_set(number, state, (0,), (number,), (Secret(bytes((number,)) * 16),))


def refused(decision: Admitted | Refused) -> tuple[Reason, object]:
    assert isinstance(decision, Refused)
    return decision.reason, cbor2.loads(decision.payload)


NETWORKS = {1: network(1, CAFE, FECA), 2: network(2, b"\x00\x02"), 3: network(3, CAFE)}


@pytest.mark.parametrize("identifier", [CAFE, FECA])
def test_c06_a_pledge_joins_a_network_of_its_own_by_any_identifier(identifier: bytes) -> None:
    """A PAN ID may come in either byte order (RFC 9031 §8.4.1)."""
    assert Admitted(NETWORKS[1]) == decide(JoinRequest(identifier), pledge(1), NETWORKS)


@given(st.binary(max_size=300).filter(lambda value: value != b"\x00\x02"))
def test_c06_another_identifier_is_refused_and_given_back(identifier: bytes) -> None:
    """Code 0, label 5 and the identifier that was asked for (RFC 9031 §8.4.1, §8.4.5)."""
    decision = decide(JoinRequest(identifier), pledge(2), NETWORKS)
    assert (Reason.UNKNOWN_NETWORK, [0, 5, identifier]) == refused(decision)


def test_c06_a_network_that_is_not_the_pledges_is_refused_like_an_unknown_one() -> None:
    """A pledge gets the keys of its own networks alone (RFC 9031 §8.4.1)."""
    decision = decide(JoinRequest(CAFE), pledge(2), NETWORKS)
    assert refused(decision) == (Reason.UNKNOWN_NETWORK, [0, 5, CAFE])
    assert decision == decide(JoinRequest(CAFE), pledge(), NETWORKS)
    assert decision == decide(JoinRequest(CAFE), pledge(4711), NETWORKS)


def test_m01_of_networks_with_one_identifier_the_first_of_the_pledges_list_counts() -> None:
    """Networks may share an identifier (RFC 9032)."""
    assert Admitted(NETWORKS[3]) == decide(JoinRequest(CAFE), pledge(2, 3, 1), NETWORKS)
    assert Admitted(NETWORKS[1]) == decide(JoinRequest(CAFE), pledge(1, 3), NETWORKS)


def test_c10_the_role_of_a_6lbr_is_refused_to_a_node() -> None:
    """Code 0, label 1 and the role (RFC 9031 §8.4.1)."""
    decision = decide(JoinRequest(CAFE, LBR), pledge(1), NETWORKS)
    assert refused(decision) == (Reason.ROLE_NOT_GRANTED, [0, 1, 1])


@pytest.mark.parametrize("role", [NODE, LBR])
def test_c10_a_registered_6lbr_may_join_as_either(role: int) -> None:
    """It may be told to play a node (RFC 9031 §8.4.1, Table 3)."""
    assert Admitted(NETWORKS[1]) == decide(JoinRequest(CAFE, role), pledge(1, role=LBR), NETWORKS)


@pytest.mark.parametrize("code", [0, 1])
def test_c07_a_pledge_that_cannot_take_keys_is_refused(code: int) -> None:
    """Never admitted without keys (RFC 9031 §8.4.5); malformed comes with null too."""
    request = JoinRequest(CAFE, NODE, (UnsupportedParameter(code, 2),))
    decision = decide(request, pledge(1), NETWORKS)
    assert refused(decision) == (Reason.KEYS_UNSUPPORTED, [0, 2, None])


def test_c07_a_pledge_that_said_so_before_stays_refused() -> None:
    """What was reported is remembered (RFC 9031 §8.4.5)."""
    decision = decide(JoinRequest(CAFE), pledge(1), NETWORKS, frozenset({2}))
    assert refused(decision) == (Reason.KEYS_UNSUPPORTED, [0, 2, None])


def test_c07_a_join_proxy_that_cannot_take_keys_is_admitted() -> None:
    """It is told none (RFC 9031 §8.4.5)."""
    proxy = pledge(1, role=LBR)._replace(profile=Profile.JOIN_PROXY)
    request = JoinRequest(CAFE, LBR, (UnsupportedParameter(0, 2),))
    assert Admitted(NETWORKS[1]) == decide(request, proxy, NETWORKS, frozenset({2}))


def test_c07_a_pledge_that_objects_to_one_value_of_the_keys_is_admitted() -> None:
    """With addinfo the value is refused and not the parameter (RFC 9031 §8.4.5)."""
    report = UnsupportedParameter(0, 2, cbor2.dumps([1, b"k" * 16]))
    request = JoinRequest(CAFE, NODE, (report, UnsupportedParameter(0, 3)))
    assert Admitted(NETWORKS[1]) == decide(request, pledge(1), NETWORKS)


reports = st.lists(
    st.builds(
        UnsupportedParameter,
        st.sampled_from((0, 1)),
        st.integers(-10, 10),
        st.none() | st.just(b"\x01"),
    )
)


@given(st.frozensets(st.integers(-10, 10)), reports, reports)
def test_c07_reports_accumulate(
    previous: frozenset[int],
    first: list[UnsupportedParameter],
    second: list[UnsupportedParameter],
) -> None:
    """Each report with null adds its label, and none takes one away (RFC 9031 §8.4.5)."""
    labels = reported_labels(reported_labels(previous, first), second)
    assert labels == reported_labels(previous, first + second)
    assert (
        labels - previous
        == {report.label for report in first + second if report.addinfo is None} - previous
    )


def test_c07_a_configuration_has_all_that_the_network_has() -> None:
    """Keys, short identifier with lease, address, join rate (RFC 9031 §8.4.2)."""
    configuration = configuration_for(NETWORKS[1], key_set().keys, 0x1234)
    assert key_set().keys == configuration.keys
    assert configuration.short_identifier is not None
    assert configuration.short_identifier.identifier == b"\x12\x34"
    assert configuration.short_identifier.lease_hours == 24
    assert IPv6Address("2001:db8::1").packed == configuration.jrc_address
    assert configuration.join_rate_bytes_per_s == 100
    assert configuration.blocklist is None


def test_c07_what_was_reported_is_left_out_but_for_the_keys() -> None:
    """A label reported with null is not configured again (RFC 9031 §8.4.5)."""
    everything = configuration_for(NETWORKS[1], key_set().keys, 1)
    expected = {
        2: everything,
        3: replace(everything, short_identifier=None),
        4: replace(everything, jrc_address=None),
        7: replace(everything, join_rate_bytes_per_s=None),
    }
    for label, configuration in expected.items():
        left_out = frozenset({label, 99})
        assert configuration == configuration_for(NETWORKS[1], key_set().keys, 1, left_out)


def test_c09_the_address_is_left_out_where_the_registrar_is_the_6lbr() -> None:
    """Without an address the node takes the 6LBR's (RFC 9031 §8.4.2)."""
    without = replace(NETWORKS[1], jrc_address=None)
    assert configuration_for(without, key_set().keys, 1).jrc_address is None
    assert configuration_for(NETWORKS[1], key_set().keys, 1).jrc_address is not None


def test_g02_a_join_rate_of_zero_is_told_and_none_is_not() -> None:
    """Zero closes joining, absence leaves it without limit (RFC 9031 §8.4.2)."""
    for rate in (0, None):
        limited = replace(NETWORKS[1], join_rate_bytes_per_s=rate)
        assert configuration_for(limited, key_set().keys, 1).join_rate_bytes_per_s == rate


def test_a_configuration_without_short_identifier_says_nothing_of_leases() -> None:
    """The short identifier may be absent, and 0000 is a value (RFC 9031 §8.4.4)."""
    assert configuration_for(NETWORKS[1], key_set().keys, None).short_identifier is None
    assert configuration_for(NETWORKS[1], key_set().keys, 0).short_identifier is not None


def test_the_openwsn_profile_gets_keys_alone() -> None:
    """It rejects every other label (RFC 9031 §8.4.2, an early draft of it)."""
    configuration = configuration_for(NETWORKS[1], key_set().keys, 1, profile=Profile.OPENWSN)
    assert key_set().keys == configuration.keys
    assert configuration.short_identifier is None
    assert configuration.jrc_address is None
    assert configuration.join_rate_bytes_per_s is None


@pytest.mark.parametrize("profile", [each for each in Profile if TRAITS[each].takes_keys])
def test_c07_there_is_no_configuration_without_keys(profile: Profile) -> None:
    """Nobody is admitted without keys, whatever went wrong before (RFC 9031 §8.4.3)."""
    with pytest.raises(StateError, match="net1"):
        configuration_for(NETWORKS[1], (), 1, profile=profile)


def test_g01_a_join_proxy_is_told_what_it_forwards_by_alone() -> None:
    """Whatever keys there are stay here (RFC 9031 §8.4.2)."""
    net = replace(NETWORKS[1], join_rate_bytes_per_s=77)
    for keys in ((), key_set().keys):
        configuration = configuration_for(net, keys, 1, profile=Profile.JOIN_PROXY, blocked=(b"x",))
        assert configuration == Configuration(blocklist=(b"x",), join_rate_bytes_per_s=77)


def test_m01_networks_with_one_identifier_share_a_key_domain() -> None:
    """Else the answer of one would not fit the other (RFC 9032; RFC 9031 §8.4.4.1)."""
    check_identifier_sharing(network(4, FECA, domain=1), NETWORKS.values())
    check_identifier_sharing(network(4, b"new", domain=2), NETWORKS.values())
    with pytest.raises(OperatorError, match=r"net4 and net1 .* feca") as caught:
        check_identifier_sharing(network(4, b"new", FECA, domain=2), NETWORKS.values())
    assert "domain1" in caught.value.hint


def test_m01_a_network_does_not_clash_with_its_former_self() -> None:
    """A network that moves to another domain alone keeps its identifier (RFC 9031 §8.4.4.1)."""
    check_identifier_sharing(network(2, b"\x00\x02", domain=2), NETWORKS.values())


def test_c06_a_6lbr_of_one_network_need_not_name_it() -> None:
    """An empty identifier hints at nothing (RFC 9031 §8.4.1)."""
    request = JoinRequest(b"", LBR)
    assert Admitted(network(1)) == decide(request, pledge(1, role=LBR), {1: network(1)})


@pytest.mark.parametrize(
    ("role", "applicant"),
    [(NODE, pledge(1, role=LBR)), (LBR, pledge(1)), (LBR, pledge(1, 2, role=LBR)), (LBR, pledge())],
)
def test_c06_nobody_else_joins_without_a_network_identifier(role: int, applicant: Pledge) -> None:
    """A node hears it in beacons; of several networks none is meant (RFC 9031 §8.4.1)."""
    networks = {1: network(1), 2: network(2, FECA)}
    decision = decide(JoinRequest(b"", role), applicant, networks)
    assert (Reason.UNKNOWN_NETWORK, [0, 5, b""]) == refused(decision)


@pytest.mark.parametrize("blocked", [(), (b"12345678", b"x")])
def test_g01_a_blocklist_is_told_also_when_it_is_empty(blocked: tuple[bytes, ...]) -> None:
    """An empty one clears that of an earlier join (RFC 9031 §8.4.2)."""
    found = configuration_for(NETWORKS[1], key_set().keys, 1, blocked=blocked)
    assert blocked == found.blocklist
    reported = configuration_for(NETWORKS[1], key_set().keys, 1, frozenset({6}), blocked=blocked)
    assert reported.blocklist is None
    openwsn = configuration_for(
        NETWORKS[1], key_set().keys, 1, profile=Profile.OPENWSN, blocked=blocked
    )
    assert openwsn.blocklist is None


def test_g01_of_a_long_blocklist_the_newest_are_told() -> None:
    """As many as are allowed, in the order in which they came."""
    newest_first = [number.to_bytes(8) for number in range(MAX_TOLD_BLOCKED + 9)]
    assert tuple(newest_first[:MAX_TOLD_BLOCKED]) == bounded_blocklist(newest_first)


@example([bytes((number,)) * 248 for number in range(9)])
@given(st.lists(st.binary(min_size=1, max_size=248), max_size=100))
def test_g01_a_blocklist_of_any_identifiers_fits_an_answer(identifiers: list[bytes]) -> None:
    """Long identifiers (RFC 9031 §3 sets no limit) leave room for fewer."""
    told = bounded_blocklist(identifiers)
    assert identifiers[: len(told)] == list(told)
    assert len(b"".join(told)) <= MAX_TOLD_BLOCKED_BYTES
    assert told or not identifiers
    two = make_key_set(
        1, KeySetState.CURRENT, (6, 14), (1, 2), (Secret(b"a" * 16), Secret(b"b" * 16))
    )
    form = ConfigurationForm(configuration_for(NETWORKS[1], two.keys, 1, blocked=told))
    payload = form.fill(b"\x00\x01")
    assert len(payload) < MAX_CBOR_BYTES
    assert told == decode_configuration(payload).blocklist
