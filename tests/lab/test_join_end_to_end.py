"""Joins at a real daemon by pledges that share no code with it (RFC 9031 §8.1)."""

import asyncio
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from jrc.cojp import message
from jrc.lab.network import Address, JoinResult, RequestForm, Timing, join, join_proxy
from jrc.lab.pledge import DerivedKeys, Joined, Refused, SimulatedPledge
from jrc.model import Secret
from tests.lab.daemon import running

NETWORK_ID = bytes.fromhex("cafe")
TIMING = Timing().scaled(0.2)
NODE, LBR, DERIVED, LONG, ABSENT = (
    bytes.fromhex(text)
    for text in (
        "0200000000000001",
        "0200000000000002",
        "0200000000000003",
        "aa" * 248,
        "0200000000000009",
    )
)
PSKS = {identifier: bytes([at]) + bytes(range(15)) for at, identifier in
        enumerate((NODE, LBR, DERIVED, LONG, ABSENT))}  # fmt: skip


def make_pledge(
    identifier: bytes = NODE, role: int = 0, network_id: bytes = NETWORK_ID
) -> SimulatedPledge:
    return SimulatedPledge(identifier, Secret(PSKS[identifier]), network_id, role)


def derived_keys() -> DerivedKeys:
    context = make_pledge(DERIVED).context
    return DerivedKeys(
        Secret(context.sender_key), Secret(context.recipient_key), Secret(context.common_iv)
    )


@pytest.fixture(scope="module")
def jrc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """The address of a running registrar that knows the pledges above but one."""
    folder: Path = tmp_path_factory.mktemp("jrc")
    keys = derived_keys()
    rows = [
        {"pledge_id": NODE.hex(), "psk": PSKS[NODE].hex()},
        {"pledge_id": LBR.hex(), "psk": PSKS[LBR].hex(), "role": "6lbr"},
        {"pledge_id": LONG.hex(), "psk": PSKS[LONG].hex()},
    ]
    derived = {
        "pledge_id": DERIVED.hex(),
        "pledge_sender_key": keys.sender_key.reveal().hex(),
        "pledge_recipient_key": keys.recipient_key.reveal().hex(),
        "common_iv": keys.common_iv.reveal().hex(),
    }
    with running(folder, [*rows, derived]) as address:
        yield address


@pytest.fixture(scope="module")
def node() -> SimulatedPledge:
    """One device for the module: it goes on counting its requests."""
    return make_pledge()


def join_in_turn(
    pledge: SimulatedPledge, jrc: Address, forms: Sequence[RequestForm], *, proxied: bool
) -> list[JoinResult]:
    """One join for each form of the request, at the registrar or through the stateless proxy."""

    async def run() -> list[JoinResult]:
        async with join_proxy(jrc) as proxy:
            target = proxy.address if proxied else jrc
            return [await join(pledge, target, TIMING, form) for form in forms]

    return asyncio.run(run())


def configuration_of(results: Sequence[JoinResult]) -> Joined:
    """The one Configuration that all the results are."""
    first = results[0].outcome
    assert isinstance(first, Joined), first
    assert all(result.outcome == first for result in results)
    return first


FORMS = [
    RequestForm(confirmable, b"\x01", proxy_scheme, uri_host)
    for confirmable in (True, False)
    for proxy_scheme in (True, False)
    for uri_host in ("6tisch.arpa", "6TISCH.arpa", None)
]


def test_c01_c02_every_form_of_the_request_joins(jrc: Address, node: SimulatedPledge) -> None:
    """CON and NON, with and without Proxy-Scheme, Uri-Host in any case (RFC 9031 §8.1.1)."""
    joined = configuration_of(join_in_turn(node, jrc, FORMS, proxied=False))
    (key,) = joined.configuration.keys
    assert len(key.value) == 16
    assert joined.configuration.short_id is not None


@pytest.mark.parametrize("proxied", [False, True])
def test_c03_tokens_of_0_to_300_bytes_are_echoed(
    jrc: Address, node: SimulatedPledge, proxied: bool
) -> None:
    """Extended tokens, at the registrar and inside the proxy's (RFC 9031 §7.1, RFC 8974 §2.1)."""
    forms = [RequestForm(size % 2 == 0, bytes([7]) * size) for size in range(301)]
    configuration_of(join_in_turn(node, jrc, forms, proxied=proxied))


def test_f05_a_rejoin_keeps_the_identifier(jrc: Address, node: SimulatedPledge) -> None:
    """Directly or through a proxy, the pledge stays the one it was (RFC 9031 §8.4.4)."""
    direct = join_in_turn(node, jrc, [RequestForm()] * 3, proxied=False)
    proxied = join_in_turn(node, jrc, [RequestForm()] * 3, proxied=True)
    configuration_of(direct + proxied)


def test_c11_a_copy_through_the_proxy_gets_the_same_protected_answer(
    jrc: Address, node: SimulatedPledge
) -> None:
    """The proxy makes a new message of the copy, the answer's OSCORE bytes are the same."""
    request = node.request(token=b"\x05")

    async def run() -> list[bytes]:
        loop = asyncio.get_running_loop()
        async with join_proxy(jrc) as proxy:
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as pledge:
                pledge.setblocking(False)
                pledge.connect(proxy.address)
                answers = []
                for _ in range(2):
                    pledge.send(request)
                    async with asyncio.timeout(10):
                        answers.append(await loop.sock_recv(pledge, 2048))
                return answers

    first, second = asyncio.run(run())
    assert first == second
    assert message.decode(first).message_id == message.decode(request).message_id
    assert isinstance(node.receive(second), Joined)


def test_a06_a_pledge_with_derived_keys_joins(jrc: Address) -> None:
    """RFC 9031 App. B: OSCORE keys in place of a PSK."""
    pledge = SimulatedPledge.with_derived_keys(DERIVED, derived_keys(), NETWORK_ID)
    configuration_of(join_in_turn(pledge, jrc, [RequestForm()], proxied=True))


def test_a04_an_identifier_of_248_bytes_joins(jrc: Address) -> None:
    """As long as an OSCORE option can carry (RFC 8613 §2)."""
    configuration_of(join_in_turn(make_pledge(LONG), jrc, [RequestForm()], proxied=True))


def test_c10_the_role_6lbr_is_for_those_registered_as_one(
    jrc: Address, node: SimulatedPledge
) -> None:
    """Others get 4.00 with code 0, label 1 and the role (RFC 9031 §8.4.1)."""
    configuration_of(join_in_turn(make_pledge(LBR, role=1), jrc, [RequestForm()], proxied=False))
    node.role = 1
    (refused,) = join_in_turn(node, jrc, [RequestForm()], proxied=True)
    node.role = 0
    assert refused.outcome == Refused("4.00", bytes.fromhex("83000101"))


def test_c06_a_network_that_is_not_the_pledges_is_refused(
    jrc: Address, node: SimulatedPledge
) -> None:
    """4.00 with code 0, label 5 and the identifier that was asked for (RFC 9031 §8.4.1)."""
    node.network_id = bytes.fromhex("beef")
    (refused,) = join_in_turn(node, jrc, [RequestForm()], proxied=True)
    node.network_id = NETWORK_ID
    assert refused.outcome == Refused("4.00", bytes.fromhex("83000542beef"))


@pytest.mark.parametrize("psk_of", [ABSENT, LBR])
def test_b06_a_stranger_hears_nothing(jrc: Address, psk_of: bytes) -> None:
    """An unknown identifier, or a known one with another key (RFC 9031 §7.3.2)."""
    identifier = ABSENT if psk_of == ABSENT else NODE
    stranger = SimulatedPledge(identifier, Secret(PSKS[psk_of]), NETWORK_ID, first_number=10**6)
    result = asyncio.run(join(stranger, jrc, Timing().scaled(0.002)))
    assert (result.outcome, result.transmissions) == (None, 5)


def test_b06_another_host_is_not_answered(jrc: Address, node: SimulatedPledge) -> None:
    """Uri-Host names somebody else: silence (RFC 9031 §8.1.1)."""
    form = RequestForm(uri_host="example.org")
    result = asyncio.run(join(node, jrc, Timing().scaled(0.002), form))
    assert result.outcome is None
