"""Public credentials as Ariel OS and aiocoap take them, read by others than who wrote them."""

import asyncio
import socket
from pathlib import Path

import aiocoap  # type: ignore[import-untyped]
import cbor2
import cbor_diag
import pytest
import yaml
from aiocoap import resource
from aiocoap.credentials import CredentialsMap  # type: ignore[import-untyped]
from aiocoap.edhoc import EdhocCredentials, load_cbor_or_edn  # type: ignore[import-untyped]
from aiocoap.oscore_sitewrapper import OscoreSiteWrapper  # type: ignore[import-untyped]
from aiocoap.transports.oscore import OSCOREAddress  # type: ignore[import-untyped]

from jrc.cojp.credential import edn
from jrc.provision.public_keys import (
    ALLOW_ALL,
    METHODS,
    PublicDevice,
    UnreachedError,
    access_of,
    aiocoap_diag,
    host_of,
    peers_yml,
)
from tests.identities import claims, cose_key, private_key

PLEDGE = "00124b0014b5b67e"
SAID = b"it is me"


def device(number: int, **more: str) -> PublicDevice:
    return PublicDevice(f"{number:016x}", claims(number), **more)


@pytest.mark.parametrize("value", [claims(1), cbor2.dumps({2: 'a "b"\n/', 8: {1: cose_key(2)}})])
def test_diagnostic_notation_gives_the_very_bytes_to_another_reader(value: bytes) -> None:
    """RFC 8949 §8, as the reader has it that aiocoap works with."""
    assert cbor_diag.diag2cbor(edn(value)) == value


def test_peers_are_a_list_of_credentials_with_what_they_may_use() -> None:
    """The fields of Ariel OS's ``peers.yml``: `kccs` in diagnostic notation, and `scope`."""
    devices = [device(1, label="lamp: # 7"), device(2)]
    found = yaml.safe_load(peers_yml(devices, access_of([ALLOW_ALL])))
    assert [set(each) for each in found] == [{"kccs", "scope"}] * 2
    assert [cbor_diag.diag2cbor(each["kccs"]) for each in found] == [claims(1), claims(2)]
    assert {each["scope"] for each in found} == {"allow-all"}
    rules = ["/.well-known/core=get", "/sensors/*=GET,iPATCH"]
    (some,) = yaml.safe_load(peers_yml(devices[:1], access_of(rules)))
    assert some["scope"] == {"/.well-known/core": ["GET"], "/sensors/*": ["GET", "iPATCH"]}
    assert yaml.safe_load(peers_yml([], None)) == []


@pytest.mark.parametrize(
    "rules", [[], ["allow-all", "/a=GET"], ["a=GET"], ["/a"], ["/a="], ["/a=GET", "/a=PUT"]]
)
def test_rules_that_can_not_be_read_give_nobody_access(rules: list[str]) -> None:
    """One that is for all stands alone, others have a path and methods."""
    with pytest.raises(ValueError, match=r"allow-all|none of"):
        access_of(rules)


def test_every_method_of_coap_is_known() -> None:
    """RFC 7252 §5.8, RFC 8132; aiocoap has them too."""
    theirs = {code.name.upper() for code in aiocoap.Code if code.is_request()} - {"EMPTY"}
    assert {name.upper() for name in METHODS} == theirs


def test_a_host_is_a_pattern_or_an_address() -> None:
    """An address is written in brackets and short (RFC 3986 §3.2.2, RFC 5952)."""
    known = device(1, address="2001:db8:0:0:0:0:0:7")
    assert host_of(known, None) == "[2001:db8::7]"
    assert host_of(known, "{id}.lab.example:61616") == f"{known.identifier}.lab.example:61616"
    with pytest.raises(UnreachedError, match=device(2).identifier):
        host_of(device(2), None)


def _loaded(text: str, folder: Path) -> CredentialsMap:
    file = folder / "lab.diag"
    file.write_text(text)
    taken = CredentialsMap()
    taken.load_from_dict(load_cbor_or_edn(file))
    return taken


def test_aiocoap_takes_the_file_and_knows_each_device_by_its_host(tmp_path: Path) -> None:
    """Each under the URIs of its address, and nobody under another's; labels are comments."""
    devices = [device(1, label="a /lamp/ \N{SNOWMAN}", address="2001:db8::1"), device(2)]
    hosts = {each.identifier: host_of(each, f"{{id}}.x{each.address or ''}") for each in devices}
    taken = _loaded(aiocoap_diag(devices, hosts), tmp_path)
    assert list(taken) == [f"coap://{host}/*" for host in hosts.values()]
    for each, entry in zip(devices, taken.values(), strict=True):
        assert isinstance(entry, EdhocCredentials)
        assert (entry.suite, entry.method) == (2, 3)
        assert entry.peer_cred is not None
        assert cbor2.dumps(entry.peer_cred[14]) == each.credential


class _Hello(resource.Resource):  # type: ignore[misc]
    """Says so, to whom it shares a key with."""

    async def render_get(self, request: aiocoap.Message) -> aiocoap.Message:
        """The answer, if the request came through OSCORE."""
        assert isinstance(request.remote, OSCOREAddress)
        return aiocoap.Message(payload=SAID)


async def _serve(number: int) -> tuple[aiocoap.Context, int]:
    """A board that answers EDHOC with its key, and its port."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        probe.bind(("::1", 0))
        port = probe.getsockname()[1]
    own = {
        "suite": 2,
        "method": 3,
        "own_cred_style": "by-key-id",
        "own_cred": {14: cbor2.loads(claims(number))},
        "private_key": {
            1: 2,
            -1: 1,
            -4: private_key(number).private_numbers().private_value.to_bytes(32),
        },
    }
    anybody = {"suite": 2, "method": 3, "peer_cred": {"unauthenticated": True}}
    known = CredentialsMap()
    known.load_from_dict(
        {f"coap://[::1]:{port}/*": {"edhoc-oscore": own}, ":any": {"edhoc-oscore": anybody}}
    )
    site = resource.Site()
    site.add_resource(["hello"], _Hello())
    wrapped = OscoreSiteWrapper(site, known)
    context = await aiocoap.Context.create_server_context(
        wrapped, bind=("::1", port), transports=["udp6"]
    )
    return context, port


async def _greeted(board: int, expected: int, folder: Path) -> bytes:
    """What a client hears from a board whose key it takes for that of ``expected``."""
    server, port = await _serve(board)
    client = await aiocoap.Context.create_client_context(transports=["oscore", "udp6"])
    try:
        one = device(expected)
        text = aiocoap_diag([one], {one.identifier: f"[::1]:{port}"})
        client.client_credentials.update(_loaded(text, folder))
        asked = aiocoap.Message(code=aiocoap.GET, uri=f"coap://[::1]:{port}/hello")
        answer = await asyncio.wait_for(client.request(asked).response, 20)
        return bytes(answer.payload)
    finally:
        await client.shutdown()
        await server.shutdown()


def test_a_client_with_the_file_talks_to_the_device_and_to_no_other(tmp_path: Path) -> None:
    """EDHOC with static Diffie-Hellman keys (RFC 9528 §3.2): who lacks the key can't answer."""
    assert asyncio.run(_greeted(1, 1, tmp_path)) == SAID
    with pytest.raises(Exception, match=r"(?i)mac|verif|decr"):
        asyncio.run(_greeted(2, 1, tmp_path))
