"""Joins over UDP with aiocoap's OSCORE as the pledge, row by row of the checklist."""

import cbor2
import pytest

from jrc.cojp import message
from jrc.cojp.constants import CoapCode, MessageType, OptionNumber, Role
from jrc.lab.configuration import LabConfiguration
from jrc.lab.pledge import Joined, Refused, SimulatedPledge
from tests.daemon.site import BEEF, CAFE, Daemon
from tests.daemon.wire import OddPledge, Wire

AF42 = 36
NOT_ALLOWED = 0
MALFORMED = 1


@pytest.fixture
def odd(daemon: Daemon) -> OddPledge:
    """A new pledge that protects whatever it is given."""
    device = daemon.enroll()
    return OddPledge(device.identifier, device.psk.reveal())


@pytest.fixture
def pledge(daemon: Daemon) -> SimulatedPledge:
    """A new pledge."""
    return daemon.enroll().pledge()


def diagnostic(wire: Wire, odd: OddPledge, payload: bytes) -> list[object]:
    """The Unsupported_Configuration in the protected 4.00 that ``payload`` gets."""
    inner = odd.open(wire.ask(odd.request(payload)))
    assert inner.code == CoapCode.BAD_REQUEST
    found: list[object] = cbor2.loads(inner.payload)
    return found


# --- Form of the exchange ----------------------------------------------------------------------


@pytest.mark.parametrize("confirmable", [True, False], ids=["con", "non"])
@pytest.mark.parametrize("proxy_scheme", [True, False], ids=["scheme", "no_scheme"])
@pytest.mark.parametrize("host", ["6tisch.arpa", "6TiSCH.ARPA", None])
def test_c01_con_and_non_with_and_without_proxy_scheme_and_host_join(
    wire: Wire, pledge: SimulatedPledge, confirmable: bool, proxy_scheme: bool, host: str | None
) -> None:
    """RFC 9031 §8.1.1: hosts are compared without regard to case, and App. A has none."""
    request = pledge.request(
        confirmable=confirmable, proxy_scheme=proxy_scheme, uri_host=host, token=b"\x01"
    )
    assert isinstance(pledge.receive(wire.ask(request)), Joined)


@pytest.mark.parametrize("confirmable", [True, False], ids=["con", "non"])
def test_c02_a_con_is_answered_in_its_ack_and_a_non_by_a_non(
    wire: Wire, pledge: SimulatedPledge, confirmable: bool
) -> None:
    """RFC 9031 §8.1.2, RFC 7252 §5.2.1, §5.2.3: outside it is 2.04 as well (RFC 8613 §4.2)."""
    request = message.decode(pledge.request(confirmable=confirmable, token=b"\x02"))
    answer = message.decode(wire.ask(message.encode(request)))
    expected = MessageType.ACK if confirmable else MessageType.NON
    assert (expected, CoapCode.CHANGED, b"\x02") == (answer.type, answer.code, answer.token)
    if confirmable:
        assert request.message_id == answer.message_id


@pytest.mark.parametrize("size", [0, 1, 8, 9, 12, 13, 64, 268, 269, 270, 300, 1024])
@pytest.mark.parametrize("confirmable", [True, False], ids=["con", "non"])
def test_c03_tokens_come_back_as_they_were(
    wire: Wire, pledge: SimulatedPledge, size: int, confirmable: bool
) -> None:
    """RFC 8974 §2: a stateless proxy keeps its state in them (RFC 9031 §7.1)."""
    token = bytes(number & 0xFF for number in range(size))
    answer = wire.ask(pledge.request(token=token, confirmable=confirmable))
    assert token == message.decode(answer).token
    assert isinstance(pledge.receive(answer), Joined)


def test_b05_an_answer_carries_no_partial_iv(wire: Wire, pledge: SimulatedPledge) -> None:
    """RFC 8613 §8.3: one request nonce protects one answer."""
    answer = message.decode(wire.ask(pledge.request()))
    assert ((int(OptionNumber.OSCORE), b""),) == answer.options


def test_h01_answers_are_marked_af42(wire: Wire, pledge: SimulatedPledge) -> None:
    """RFC 9031 §6.1.2: the DSCP is the upper six bits of the traffic class."""
    wire.send(pledge.request())
    assert AF42 == wire.hear().traffic_class >> 2


def test_c13_an_answer_comes_from_the_port_that_was_asked(
    wire: Wire, pledge: SimulatedPledge
) -> None:
    """RFC 7252 §5.3.2; ``test_namespace.py`` has the case of several addresses."""
    wire.send(pledge.request())
    assert wire.server == wire.hear().sender


# --- What is granted ---------------------------------------------------------------------------


def test_f05_a_pledge_that_joins_again_keeps_its_identifier(
    wire: Wire, pledge: SimulatedPledge
) -> None:
    """RFC 9031 §8.4.4."""
    first, second = wire.join(pledge), wire.join(pledge)
    assert first.short_id is not None
    assert first == second


def test_f02_pledges_get_different_identifiers_and_the_same_keys(
    daemon: Daemon, wire: Wire
) -> None:
    """RFC 9031 §8.4.4.1, §8.4.3."""
    given = [wire.join(daemon.enroll().pledge()) for _ in range(20)]
    assert 20 == len({configuration.short_id for configuration in given})
    assert all(given[0].keys == configuration.keys != () for configuration in given)


def test_c06_a_network_the_pledge_may_not_join_is_refused_by_name(
    daemon: Daemon, wire: Wire
) -> None:
    """RFC 9031 §8.4.1: code 0, label 5 and the identifier that was asked for."""
    asked = wire.refusal(daemon.enroll().pledge(network=BEEF))
    assert Refused("4.00", cbor2.dumps([NOT_ALLOWED, 5, BEEF])) == asked


def test_c10_role_6lbr_is_refused_to_a_node(daemon: Daemon, wire: Wire) -> None:
    """RFC 9031 §8.4.1, §8: code 0, label 1 and the role."""
    asked = wire.refusal(daemon.enroll().pledge(role=Role.LBR))
    assert Refused("4.00", cbor2.dumps([NOT_ALLOWED, 1, 1])) == asked


def test_c10_role_6lbr_is_granted_to_a_border_router(daemon: Daemon, wire: Wire) -> None:
    """RFC 9031 §8.4.1."""
    wire.join(daemon.enroll(role="6lbr").pledge(role=Role.LBR))


# --- What is wrong inside ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "label"),
    [
        (cbor2.dumps({1: 0}), 5),
        (cbor2.dumps({5: "cafe"}), 5),
        (cbor2.dumps({5: 7}), 5),
        (cbor2.dumps({1: "0", 5: CAFE}), 1),
        (cbor2.dumps({8: 3, 5: CAFE}), 8),
        (bytes.fromhex("a205 42cafe 05 42cafe"), 5),
        (cbor2.dumps({5: CAFE}) + b"\x00", 5),
        (b"", 5),
        (b"\xff", 5),
        (b"\x80", 5),
    ],
)
def test_c04_malformed_objects_get_a_protected_diagnostic(
    wire: Wire, odd: OddPledge, payload: bytes, label: int
) -> None:
    """RFC 9031 §8.3.1, §8.3.2: code 1, the label at fault, null; 5 where nothing was read."""
    assert [MALFORMED, label, None] == diagnostic(wire, odd, payload)


@pytest.mark.parametrize("label", [2, 9, 23, 24, -1, 300])
def test_c05_an_unknown_label_is_named(wire: Wire, odd: OddPledge, label: int) -> None:
    """RFC 9031 §8.3.1, §8.4.5."""
    assert [0, label, None] == diagnostic(wire, odd, cbor2.dumps({5: CAFE, label: b"x"}))


def test_c05_an_unknown_role_is_named_with_its_value(wire: Wire, odd: OddPledge) -> None:
    """RFC 9031 §8.4.5."""
    assert [0, 1, 2] == diagnostic(wire, odd, cbor2.dumps({1: 2, 5: CAFE}))


@pytest.mark.parametrize(
    "payload",
    [
        bytes.fromhex("a10542cafe") + bytes(1024),
        b"\x81" * 40 + b"\x00",
        bytes.fromhex("bf0542cafeff00"),
        bytes.fromhex("a205d81cd81c0542cafe"),
        cbor2.dumps({5: CAFE, 8: b"x" * 1100}),
    ],
    ids=["long", "deep", "indefinite_and_more", "cyclic", "huge"],
)
def test_c12_cbor_beyond_the_limits_gets_a_protected_refusal(
    wire: Wire, odd: OddPledge, payload: bytes
) -> None:
    """RFC 9031 §8.4: whatever a verified pledge writes, it gets a 4.00 and nothing breaks."""
    assert diagnostic(wire, odd, payload)[0] in (0, 1)


@pytest.mark.parametrize(
    "addinfo",
    [[[1]], {"a": 1}, cbor2.CBORTag(1, 2), 1.5],
    ids=["array", "map", "tag", "float"],
)
def test_c12_what_addinfo_holds_is_skipped(wire: Wire, odd: OddPledge, addinfo: object) -> None:
    """RFC 9031 §8.4.5: it may be any value."""
    payload = cbor2.dumps({5: CAFE, 8: [0, 9, addinfo]})
    assert CoapCode.CHANGED == odd.open(wire.ask(odd.request(payload))).code


def test_c07_a_label_reported_with_null_is_left_out_from_then_on(
    daemon: Daemon, wire: Wire
) -> None:
    """RFC 9031 §8.4.5: and what was reported is shown."""
    device = daemon.enroll()
    odd = OddPledge(device.identifier, device.psk.reveal())
    first = odd.open(wire.ask(odd.request(cbor2.dumps({5: CAFE}))))
    reported = odd.open(wire.ask(odd.request(cbor2.dumps({5: CAFE, 8: [1, 3, None]}))))
    later = odd.open(wire.ask(odd.request(cbor2.dumps({5: CAFE}))))
    assert [True, False, False] == [3 in cbor2.loads(x.payload) for x in (first, reported, later)]
    (shown,) = _unsupported(daemon, device.identifier)
    assert (3, 1) == (shown["label"], shown["code"])


def _unsupported(daemon: Daemon, identifier: bytes) -> list[dict[str, object]]:
    shown = daemon.api("GET", f"/v1/pledges/{identifier.hex()}")["unsupported"]
    assert isinstance(shown, list)
    return shown


def test_c07_a_pledge_that_can_not_take_keys_is_refused(wire: Wire, odd: OddPledge) -> None:
    """RFC 9031 §8.4.5: never admitted without keys, or with weaker ones."""
    asked = cbor2.dumps({5: CAFE, 8: [1, 2, None]})
    assert CoapCode.BAD_REQUEST == odd.open(wire.ask(odd.request(asked))).code
    again = odd.open(wire.ask(odd.request(cbor2.dumps({5: CAFE}))))
    assert CoapCode.BAD_REQUEST == again.code


@pytest.mark.parametrize(
    ("plaintext", "code"),
    [
        (message.encode_inner(CoapCode.GET, ((11, b"j"),), b""), CoapCode.METHOD_NOT_ALLOWED),
        (message.encode_inner(CoapCode.POST, ((11, b"k"),), b""), CoapCode.NOT_FOUND),
        (message.encode_inner(CoapCode.POST, (), b""), CoapCode.NOT_FOUND),
        (message.encode_inner(CoapCode.POST, ((11, b"j"), (11, b"j")), b""), CoapCode.NOT_FOUND),
        (message.encode_inner(CoapCode.POST, ((9, b""), (11, b"j")), b""), CoapCode.BAD_OPTION),
        (message.encode_inner(CoapCode.POST, ((11, b"j"), (65001, b"")), b""), CoapCode.BAD_OPTION),
    ],
    ids=["get", "other_path", "no_path", "two_segments", "inner_oscore", "critical_option"],
)
def test_what_is_no_post_to_j_inside_gets_a_protected_error(
    wire: Wire, odd: OddPledge, plaintext: bytes, code: int
) -> None:
    """RFC 7252 §5.4.1, §5.8: the peer has proved who it is, so it is told."""
    assert code == odd.open(wire.ask(odd.request(plaintext=plaintext))).code


def test_no_coap_inside_is_silent(wire: Wire, odd: OddPledge, witness: SimulatedPledge) -> None:
    """RFC 9031 §7.3.2: there is no request to answer."""
    plaintexts = (b"", b"\x00", b"\x20", b"\x02\xff", b"\x02\xf1", b"\x02\x1f")
    wire.assert_silence([odd.request(plaintext=text) for text in plaintexts], witness)


# --- Contexts ----------------------------------------------------------------------------------


def test_b02_a_kid_that_is_not_empty_is_silent_and_none_joins(
    daemon: Daemon, wire: Wire, witness: SimulatedPledge
) -> None:
    """RFC 9031 §7.3: the pledge's OSCORE identifier is the empty string."""
    device = daemon.enroll()
    odd = OddPledge(device.identifier, device.psk.reveal())
    value = bytes.fromhex("190008") + device.identifier
    wire.assert_silence([odd.request(option=value + b"\x00")], witness)
    assert CoapCode.CHANGED == odd.open(wire.ask(odd.request(b"\xa1\x05\x42\xca\xfe"))).code


def test_b06_an_unknown_pledge_is_silent_until_it_is_added(
    daemon: Daemon, wire: Wire, witness: SimulatedPledge
) -> None:
    """RFC 9031 §7.3.2."""
    device = daemon.site.new_devices(1)[0]
    pledge = device.pledge()
    wire.assert_silence([pledge.request()], witness)
    daemon.enroll(device)
    wire.join(pledge)


def test_b03_numbers_of_a_pledge_may_skip_and_come_late_within_the_window(
    daemon: Daemon, wire: Wire, witness: SimulatedPledge
) -> None:
    """RFC 8613 §7.4: 32 numbers back are told apart, anything older is silent."""
    device = daemon.enroll()
    for first in (100, 70, 69):
        wire.join(device.pledge(first=first))
    wire.assert_silence([device.pledge(first=68).request()], witness)


def test_m02_a_burst_of_one_pledge_loses_no_number(
    wire: Wire, daemon: Daemon, witness: SimulatedPledge
) -> None:
    """RFC 9031 §7.3.1: a context is once in a batch, so what was answered stays in its window."""
    pledge = daemon.enroll().pledge()
    requests = [pledge.request(token=bytes((n,))) for n in range(20)]
    wire.send(*requests, witness.request(token=b"\x77"))
    answers: dict[int, bytes] = {}
    while (heard := message.decode(wire.hear().payload)).token != b"\x77":
        assert answers.setdefault(heard.token[0], heard.payload) == heard.payload
    assert 1 <= len(answers) == len(set(answers.values()))
    wire.assert_silence([requests[n] for n in sorted(answers)[:-1]], witness)


def test_m02_other_pledges_of_a_burst_are_all_answered(daemon: Daemon, wire: Wire) -> None:
    """RFC 9031 §8.1.2: requests that share a commit each get their own answer."""
    pledges = [daemon.enroll().pledge() for _ in range(80)]
    wire.send(*(p.request(token=bytes((n,))) for n, p in enumerate(pledges)))
    given: list[LabConfiguration] = []
    for _ in pledges:
        answer = wire.hear().payload
        outcome = pledges[message.decode(answer).token[0]].receive(answer)
        assert isinstance(outcome, Joined)
        given.append(outcome.configuration)
    assert 80 == len({configuration.short_id for configuration in given})


def test_a06_a_pledge_with_derived_keys_joins(daemon: Daemon, wire: Wire) -> None:
    """RFC 9031 App. B: sender key, recipient key and Common IV in place of a PSK."""
    device = daemon.site.new_devices(1)[0]
    context = device.pledge().context
    body = {
        "pledge_id": device.identifier.hex(),
        "pledge_sender_key": context.sender_key.hex(),
        "pledge_recipient_key": context.recipient_key.hex(),
        "common_iv": context.common_iv.hex(),
    }
    daemon.api("POST", "/v1/pledges", json=body)
    wire.join(device.pledge())


@pytest.mark.parametrize("size", [1, 8, 248])
def test_a04_identifiers_of_1_to_248_bytes_join(daemon: Daemon, wire: Wire, size: int) -> None:
    """RFC 9031 §3, §10: an identifier is not always an EUI-64."""
    device = daemon.site.new_devices(1)[0]
    identifier = bytes((0xD1,)) * (size - 1) + bytes((size,))
    wire.join(daemon.enroll(type(device)(identifier, device.psk)).pledge())
