"""Public credentials of devices as other programs take them: no secret is in any of it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv6Address
from typing import Final, NamedTuple, TypeAlias

from jrc.cojp.credential import edn

ALLOW_ALL: Final = "allow-all"
METHODS: Final = ("GET", "POST", "PUT", "DELETE", "FETCH", "PATCH", "iPATCH")
"""Of CoAP (RFC 7252 §5.8, RFC 8132), as Ariel OS names them."""
PLACE: Final = "{id}"
"""Stands in a pattern of hosts for the device's identifier in hex."""

_SUITE: Final = 2
_METHOD: Final = 3
"""EDHOC's cipher suite with P-256, and static Diffie-Hellman keys at both ends (RFC 9528 §3.2)."""
_KCCS: Final = 14
"""The COSE header parameter that carries a CWT Claims Set (RFC 9528 §10.6)."""

Access: TypeAlias = "Mapping[str, Sequence[str]] | None"
"""The methods by path that a peer may use; None: all of them."""


class PublicDevice(NamedTuple):
    """A device, its credential as CBOR, and where it is reached, if that is known."""

    identifier: str
    credential: bytes
    label: str = ""
    address: str | None = None


class UnreachedError(ValueError):
    """It is not known where a device is reached; holds its identifier."""


def access_of(rules: Sequence[str]) -> Access:
    """What ``allow-all``, or rules such as ``/sensors=GET,PUT``, allow.

    Raises:
        ValueError: there is none, or one can't be read; says which.
    """
    if list(rules) == [ALLOW_ALL]:
        return None
    found: dict[str, Sequence[str]] = {}
    for rule in rules:
        path, equals, methods = rule.rpartition("=")
        names = [each.strip() for each in methods.split(",")]
        known = {name.upper(): name for name in METHODS}
        if not equals or not path.startswith("/") or not path.isprintable() or path in found:
            raise ValueError(f"{rule!r} is neither {ALLOW_ALL} nor PATH=METHOD,METHOD, or twice")
        if unknown := [name for name in names if name.upper() not in known]:
            raise ValueError(f"{unknown[0]!r} in {rule!r} is none of {', '.join(METHODS)}")
        found[path] = [known[name.upper()] for name in names]
    if not found:
        raise ValueError(f"say {ALLOW_ALL}, or PATH=METHOD,METHOD")
    return found


def host_of(device: PublicDevice, pattern: str | None) -> str:
    """The host in the device's URIs: ``pattern`` with its identifier, or its address.

    Raises:
        UnreachedError: there is neither.
    """
    if pattern is not None:
        return pattern.replace(PLACE, device.identifier)
    if device.address is None:
        raise UnreachedError(device.identifier)
    return f"[{IPv6Address(device.address).compressed}]"


def peers_yml(devices: Sequence[PublicDevice], access: Access) -> str:
    """``peers.yml`` of Ariel OS: whoever shows one of these keys may use what ``access`` says.

    Text stands in quotes as JSON has them, which YAML reads alike (YAML 1.2.2 §1.3).
    """
    lines = [f"# Public credentials of devices ({len(devices)}), written by `jrc identity export`."]
    for each in devices:
        lines += [f"# {_title(each)}", f"- kccs: {json.dumps(edn(each.credential))}"]
        lines += _scope(access)
    if not devices:
        lines.append("[]")
    return "\n".join([*lines, ""])


def _scope(access: Access) -> Iterator[str]:
    if access is None:
        yield f"  scope: {ALLOW_ALL}"
        return
    yield "  scope:"
    for path, methods in access.items():
        yield f"    {json.dumps(path, ensure_ascii=False)}: [{', '.join(methods)}]"


def aiocoap_diag(devices: Sequence[PublicDevice], hosts: Mapping[str, str]) -> str:
    """A credentials file for ``aiocoap-client --credentials``, in diagnostic notation (``.diag``).

    The client shows a key of its own that nobody knows, and takes no other device's for this one's.
    ``hosts`` are those of ``host_of`` by identifier.
    """
    lines = [f"/ {len(devices)} devices by their public keys, by `jrc identity export` /", "{"]
    for each in devices:
        uri = json.dumps(f"coap://{hosts[each.identifier]}/*")
        lines += [
            f"  / {_title(each)} /",
            f'  {uri}: {{"edhoc-oscore": {{',
            f'    "suite": {_SUITE}, "method": {_METHOD}, "own_cred": {{"unauthenticated": true}},',
            f'    "peer_cred": {{{_KCCS}: {edn(each.credential)}}}',
            "  }}" + ("," if each is not devices[-1] else ""),
        ]
    return "\n".join([*lines, "}", ""])


def _title(device: PublicDevice) -> str:
    """The device for people; a slash would end a comment of diagnostic notation."""
    if not device.label or not device.label.isprintable():
        return device.identifier
    return f"{device.identifier} {device.label.replace('/', '|')}"
