"""Row C11: the same request again gets the same answer again, within narrow bounds."""

import pytest

from jrc.cojp import message
from jrc.cojp.constants import MessageType, OptionNumber
from jrc.lab.pledge import Joined, SimulatedPledge
from jrc.service.copies import MAX_COPY_AGE_MS, MAX_COPY_RESENDS
from tests.daemon.site import BEEF, Daemon, Device, Site
from tests.daemon.wire import OddPledge, Wire, ciphertext_of, with_header

CON, NON, ACK = MessageType.CON, MessageType.NON, MessageType.ACK
LATER = ("-m", "tests.daemon.later")


@pytest.fixture
def device(daemon: Daemon) -> Device:
    """A new device."""
    return daemon.enroll()


def copy(request: bytes, number: int, type: int = NON) -> bytes:
    """The ``number``-th copy, with a message id and a token of its own."""
    return with_header(request, type=type, message_id=number, token=bytes((0xC0, number)))


@pytest.mark.parametrize("first", [CON, NON])
@pytest.mark.parametrize("second", [CON, NON])
def test_c11_a_copy_gets_the_stored_bytes_under_its_own_header(
    wire: Wire, device: Device, first: MessageType, second: MessageType
) -> None:
    """RFC 7252 §4.2, §4.5: type and message id answer the copy, the token is the copy's."""
    request = with_header(device.pledge().request(), type=first, message_id=1, token=b"\x01")
    answer = wire.ask(request)
    again = message.decode(wire.ask(copy(request, 2, second)))
    assert ciphertext_of(answer) == again.payload
    assert (ACK if second is CON else NON, b"\xc0\x02") == (again.type, again.token)
    assert (again.message_id == 2) is (second is CON)


def test_c11_a_copy_has_no_second_effect(daemon: Daemon, wire: Wire, device: Device) -> None:
    """RFC 9031 §7.3.1: no transaction, no event, no join more."""
    request = device.pledge().request()
    wire.ask(request)
    before = daemon.metrics()
    events = daemon.api("GET", "/v1/events")
    wire.ask(copy(request, 2))
    after = daemon.metrics()
    for name in ("jrc_commits_total", 'jrc_joins_total{network="lab",result="joined"}'):
        assert before[name] == after[name]
    assert 1 + before["jrc_answers_resent_total"] == after["jrc_answers_resent_total"]
    assert events == daemon.api("GET", "/v1/events")


def test_c11_a_refusal_is_repeated_like_a_configuration(daemon: Daemon, wire: Wire) -> None:
    """RFC 9031 §8.3.1."""
    request = daemon.enroll().pledge(network=BEEF).request()
    assert ciphertext_of(wire.ask(request)) == ciphertext_of(wire.ask(copy(request, 2)))


def test_c11_a_copy_is_answered_beyond_its_share_too(wire: Wire, device: Device) -> None:
    """Somebody may have used up the share in the name of the pledge's Join Proxy."""
    request = device.pledge().request()
    answer = ciphertext_of(wire.ask(request))
    for number in range(2 * MAX_COPY_RESENDS):
        assert answer == ciphertext_of(wire.ask(copy(request, number)))


def test_c11_an_older_request_is_silent_once_a_newer_was_accepted(
    wire: Wire, device: Device, witness: SimulatedPledge
) -> None:
    """RFC 8613 §7.4: the pledge has moved on, so it was not the pledge."""
    pledge = device.pledge()
    older, newer = pledge.request(), pledge.request()
    wire.ask(older)
    answer = wire.ask(newer)
    wire.assert_silence([copy(older, 2), older], witness)
    assert ciphertext_of(answer) == ciphertext_of(wire.ask(copy(newer, 3)))


def test_c11_a_late_request_is_answered_and_its_copy_is_not(
    wire: Wire, device: Device, witness: SimulatedPledge
) -> None:
    """RFC 8613 §7.4: a number below the highest may be fresh; the stored answer is then its own."""
    wire.join(device.pledge(first=9))
    late = device.pledge(first=3)
    request = late.request()
    assert isinstance(late.receive(wire.ask(request)), Joined)
    wire.assert_silence([copy(request, 2)], witness)


def test_c11_a_changed_copy_is_silent(wire: Wire, device: Device, witness: SimulatedPledge) -> None:
    """RFC 8613 §8.2: only the very bytes are a copy."""
    request = device.pledge().request()
    wire.ask(request)
    odd = OddPledge(device.identifier, device.psk.reveal())
    changed = request[:-1] + bytes((request[-1] ^ 1,))
    other = odd.request(bytes.fromhex("a201000542cafe"))
    wire.assert_silence([changed, other], witness)


def test_c11_a_revoked_pledge_gets_no_copy(
    daemon: Daemon, wire: Wire, device: Device, witness: SimulatedPledge
) -> None:
    """RFC 9031 §9: revocation counts from the instant the command returns."""
    pledge = device.pledge()
    request = pledge.request()
    wire.ask(request)
    daemon.api("POST", f"/v1/pledges/{device.identifier.hex()}/revoke", json={"agreed": True})
    wire.assert_silence([copy(request, 2), pledge.request()], witness)


def test_c11_a_replaced_key_ends_the_copies(
    daemon: Daemon, wire: Wire, device: Device, witness: SimulatedPledge
) -> None:
    """RFC 9031 §3: the old key is unusable from that instant, and the new one works."""
    request = device.pledge().request()
    wire.ask(request)
    renewed = Device(device.identifier, daemon.site.new_devices(1)[0].psk)
    daemon.enroll(renewed, on_conflict="replace")
    wire.join(renewed.pledge())
    wire.assert_silence([copy(request, 2)], witness)


@pytest.mark.parametrize("profile", ["openwsn", "rfc9031"])
def test_c11_option_40_comes_back_in_the_openwsn_profile_alone(
    daemon: Daemon, wire: Wire, profile: str
) -> None:
    """RFC 9031 §7.1: OpenWSN's Join Proxy keeps there what others keep in the token."""
    device = daemon.enroll(profile=profile)
    odd = OddPledge(device.identifier, device.psk.reveal())
    state, other = (40, b"state"), (40, b"other state")
    request = message.decode(odd.request(b"\xa1\x05\x42\xca\xfe", extra=(state,)))
    answer = message.decode(wire.ask(message.encode(request)))
    moved = request._replace(options=(request.options[0], other), token=b"\xc1")
    again = message.decode(wire.ask(message.encode(moved)))
    bare = (int(OptionNumber.OSCORE), b"")
    echoed = profile == "openwsn"
    assert (bare, *[state] * echoed) == answer.options
    assert (bare, *[other] * echoed) == again.options
    assert answer.payload == again.payload


# --- With a daemon of their own ----------------------------------------------------------------


def after_restart(site: Site, request: bytes, *, later_s: int = 0) -> bytes | None:
    """What a copy gets from the next daemon: a ciphertext, or None for silence."""
    environ = {"JRC_TEST_LATER_S": str(later_s)}
    with site.start(LATER, environ=environ) as daemon, Wire(daemon.address) as wire:
        pledge = daemon.enroll().pledge()
        wire.send(copy(request, 2), pledge.request(token=b"\x77"))
        heard = [wire.hear().payload]
        if message.decode(heard[0]).token != b"\x77":
            heard.append(wire.hear().payload)
        assert isinstance(pledge.receive(heard[-1]), Joined)
        assert wire.is_quiet()
        return None if len(heard) == 1 else ciphertext_of(heard[0])


@pytest.fixture
def stored(site: Site) -> tuple[bytes, bytes]:
    """A request and the ciphertext it got, from a daemon that has stopped since."""
    with site.start() as daemon, Wire(daemon.address) as wire:
        request = daemon.enroll().pledge().request()
        return request, ciphertext_of(wire.ask(request))


def test_c11_a_copy_is_answered_by_the_next_process(
    site: Site, stored: tuple[bytes, bytes]
) -> None:
    """RFC 9031 §7.3.1: the answer was stored in the transaction that accepted the request."""
    request, answer = stored
    assert answer == after_restart(site, request)


@pytest.mark.parametrize(("spare_s", "answered"), [(30, True), (-1, False)])
def test_c11_a_copy_is_answered_for_465_seconds(
    site: Site, stored: tuple[bytes, bytes], spare_s: int, answered: bool
) -> None:
    """RFC 7252 §4.8.2 with the timing of RFC 9031 §7.2: so long a pledge listens."""
    request, answer = stored
    later_s = MAX_COPY_AGE_MS // 1000 - spare_s
    assert (answer if answered else None) == after_restart(site, request, later_s=later_s)


def test_c11_a_setting_turns_it_off(site: Site, stored: tuple[bytes, bytes]) -> None:
    """RFC 9031 §7.3.2 read to the letter: whatever the window has seen is silent."""
    request, _ = stored
    site.change("retransmit_cache = true", "retransmit_cache = false")
    assert after_restart(site, request) is None
